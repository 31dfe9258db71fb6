// The only file that knows Tauri. Commands are named as in Rust; arguments are camelCase, as Tauri expects them.
import { Channel, invoke } from '@tauri-apps/api/core'
import { open, save } from '@tauri-apps/plugin-dialog'
import type { Backend } from './backend'
import type { AppEvent, ExportFormat } from './types'

const extensions: Record<ExportFormat, string> = { json: 'json', csv: 'csv', markdown: 'md' }

export const tauriBackend: Backend = {
  simulated: false,

  appInfo: () => invoke('app_info'),
  device: () => invoke('device'),
  models: () => invoke('models'),
  addModel: (path) => invoke('add_model', { path }),
  pickModelFile: () => open({ multiple: false, directory: false, filters: [{ name: 'GGUF', extensions: ['gguf'] }] }),
  suites: () => invoke('suites'),
  estimate: (request) => invoke('estimate', { request }),
  startRun: (request) => invoke('start_run', { request }),
  stopJob: (id) => invoke('stop_job', { id }),
  resumeJob: (id) => invoke('resume_job', { id }),
  jobs: () => invoke('jobs'),
  runs: () => invoke('runs'),
  result: (runId) => invoke('result', { runId }),
  samples: (runId) => invoke('samples', { runId }),

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
