// The only file that knows Tauri. Commands are named as in Rust; arguments are camelCase, as Tauri expects them.
import { Channel, invoke } from '@tauri-apps/api/core'
import { getCurrentWebview } from '@tauri-apps/api/webview'
import { open, save } from '@tauri-apps/plugin-dialog'
import type { Backend } from './backend'
import type { AppEvent, ExportFormat } from './types'

const extensions: Record<ExportFormat, string> = { json: 'json', csv: 'csv', markdown: 'md' }

export const tauriBackend: Backend = {
  simulated: false,

  appInfo: () => invoke('app_info'),
  device: () => invoke('device'),
  deviceReport: () => invoke('device_report'),
  models: () => invoke('models'),
  addModel: (path) => invoke('add_model', { path }),
  pickModelFile: () => open({ multiple: false, directory: false, filters: [{ name: 'GGUF', extensions: ['gguf'] }] }),
  catalogue: () => invoke('catalogue'),
  addRepository: (reference) => invoke('add_repository', { reference }),
  removeRepository: (id) => invoke('remove_repository', { id }),
  updateCatalogue: () => invoke('update_catalogue'),
  modelFit: (path) => invoke('model_fit', { path }),
  sourceFit: (source) => invoke('source_fit', { source }),
  download: (request) => invoke('download', { request }),
  pauseJob: (id) => invoke('pause_job', { id }),
  discardPartial: (fileName) => invoke('discard_partial', { fileName }),
  importModel: (path, mode) => invoke('import_model', { path, mode }),
  foundModels: () => invoke('found_models'),
  locateModel: (sha256, path) => invoke('locate_model', { sha256, path }),
  verifyModel: (path) => invoke('verify_model', { path }),
  deletePreview: (path) => invoke('delete_preview', { path }),
  deleteModel: (path) => invoke('delete_model', { path }),
  storage: () => invoke('storage'),
  downloadSettings: () => invoke('download_settings'),
  setDownloadSettings: (settings) => invoke('set_download_settings', { settings }),
  hubToken: () => invoke('hub_token'),
  setHubToken: (token) => invoke('set_hub_token', { token }),
  onFilesDropped: (listener) =>
    getCurrentWebview().onDragDropEvent(({ payload }) => {
      if (payload.type === 'drop') listener(payload.paths)
    }),
  suites: () => invoke('suites'),
  estimate: (request) => invoke('estimate', { request }),
  startRun: (request) => invoke('start_run', { request }),
  tuning: () => invoke('tuning'),
  tune: (request) => invoke('tune', { request }),
  forgetTuning: () => invoke('forget_tuning'),
  setAutomaticTuning: (automatic) => invoke('set_automatic_tuning', { automatic }),
  stopJob: (id) => invoke('stop_job', { id }),
  resumeJob: (id) => invoke('resume_job', { id }),
  jobs: () => invoke('jobs'),
  runs: () => invoke('runs'),
  result: (runId) => invoke('result', { runId }),
  samples: (runId) => invoke('samples', { runId }),
  claims: () => invoke('claims'),
  measureBandwidth: () => invoke('measure_bandwidth'),
  providerPresets: () => invoke('provider_presets'),
  providers: () => invoke('providers'),
  saveProvider: (request) => invoke('save_provider', { request }),
  removeProvider: (id) => invoke('remove_provider', { id }),
  setProviderKey: (id, key) => invoke('set_provider_key', { id, key }),
  verifyProvider: (id) => invoke('verify_provider', { id }),
  conversations: (search, limit, offset) => invoke('conversations', { search, limit, offset }),
  conversation: (id) => invoke('conversation', { id }),
  beginConversation: (settings) => invoke('begin_conversation', { settings }),
  changeConversation: (id, change) => invoke('change_conversation', { id, change }),
  deleteConversation: (id) => invoke('delete_conversation', { id }),
  restoreConversation: (id) => invoke('restore_conversation', { id }),
  pinMessage: (id, pinned) => invoke('pin_message', { id, pinned }),
  showBranch: (id, message) => invoke('show_branch', { id, message }),
  sendMessage: (request) => invoke('send_message', { request }),
  answerQuestion: (conversationId, question, by) => invoke('answer_question', { conversationId, question, by }),
  regenerate: (conversationId, of, model) => invoke('regenerate', { conversationId, of, model }),
  stopAnswer: (id) => invoke('stop_answer', { id }),
  contextMeter: (id, draft) => invoke('context_meter', { id, draft }),
  chatOptions: () => invoke('chat_options'),
  setChatOptions: (options) => invoke('set_chat_options', { options }),
  spending: () => invoke('spending'),
  startDuel: (request) => invoke('start_duel', { request }),
  voteDuel: (question, vote) => invoke('vote_duel', { question, vote }),
  duelRanking: () => invoke('duel_ranking'),
  duels: (limit) => invoke('duels', { limit }),
  residentModels: () => invoke('resident_models'),
  unloadModels: () => invoke('unload_models'),

  async exportRun(runId, format) {
    const extension = extensions[format]
    const path = await save({
      defaultPath: `pocketbench-${runId.slice(0, 8)}.${extension}`,
      filters: [{ name: extension.toUpperCase(), extensions: [extension] }],
    })
    if (path === null) return null
    await invoke('export_run', { runId, format, path })
    return path
  },

  async exportConversation(id, format) {
    const extension = extensions[format]
    const path = await save({
      defaultPath: `pocketbench-chat-${id.slice(-8)}.${extension}`,
      filters: [{ name: extension.toUpperCase(), extensions: [extension] }],
    })
    if (path === null) return null
    await invoke('export_conversation', { id, format, path })
    return path
  },

  async importConversation() {
    const path = await open({ multiple: false, directory: false, filters: [{ name: 'JSON', extensions: ['json'] }] })
    return path === null ? null : await invoke('import_conversation', { path })
  },

  async subscribe(listener) {
    let listening = true
    const channel = new Channel<AppEvent>((event) => {
      if (listening) listener(event)
    })
    await invoke('subscribe', { channel })
    return () => {
      listening = false
    }
  },
}
