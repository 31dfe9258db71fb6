import type {
  AnswerBy,
  AppEvent,
  AppInfo,
  CatalogueEntry,
  ChatOptions,
  ChatSettings,
  ClaimsReport,
  ContextMeter,
  Conversation,
  ConversationChange,
  ConversationFormat,
  ConversationSummary,
  ConversationView,
  DeletePreview,
  DeviceProfile,
  DeviceReport,
  DownloadRequest,
  DownloadSettings,
  Duel,
  DuelRanking,
  DuelRequest,
  ErrorReport,
  Estimate,
  ExportFormat,
  FitReport,
  FoundModel,
  ImportMode,
  Job,
  MeasuredBandwidth,
  ModelEntry,
  ModelSource,
  ProviderEntry,
  ProviderPreset,
  ProviderRequest,
  ResidentModel,
  RunRequest,
  RunResult,
  RunSummary,
  SampleRow,
  SendRequest,
  SentTurn,
  Spending,
  StorageUse,
  SuiteInfo,
  TokenState,
  TuneRequest,
  TuningState,
  Vote,
} from './types'

/**
 * Everything the UI can ask of the machine. There are two: the real one behind Tauri and the fake one for a browser.
 * Every promise that rejects does so with an {@link ErrorReport}.
 */
export interface Backend {
  /** True where figures are made up. The UI then says so on every screen. */
  readonly simulated: boolean

  appInfo(): Promise<AppInfo>
  device(): Promise<DeviceProfile>
  /** The device with its sensors and its memory bandwidth, which is measured for it at the first time. */
  deviceReport(): Promise<DeviceReport>
  models(): Promise<ModelEntry[]>
  /** Reads, checks and hashes a file and adds it to the list. */
  addModel(path: string): Promise<ModelEntry>
  /** Lets the person pick a GGUF file; `null` if they changed their mind. */
  pickModelFile(): Promise<string | null>
  /** Every model that can be fetched, with how its files stand on this device. */
  catalogue(): Promise<CatalogueEntry[]>
  /** Adds a repository by `owner/name`, its page's address or a file's address. */
  addRepository(reference: string): Promise<CatalogueEntry>
  removeRepository(id: string): Promise<void>
  /** Fetches a newer catalogue; answers the version in use. */
  updateCatalogue(): Promise<number>
  modelFit(path: string): Promise<FitReport>
  /** Reads the head of a file on its host, at most 1 MB of it. */
  sourceFit(source: ModelSource): Promise<FitReport>
  download(request: DownloadRequest): Promise<Job>
  pauseJob(id: string): Promise<Job>
  discardPartial(fileName: string): Promise<void>
  importModel(path: string, mode: ImportMode): Promise<Job>
  /** Models of other tools on this machine. */
  foundModels(): Promise<FoundModel[]>
  /** Says where a model is that is not where it was. Rejected if the file is another one. */
  locateModel(sha256: string, path: string): Promise<ModelEntry>
  verifyModel(path: string): Promise<Job>
  deletePreview(path: string): Promise<DeletePreview>
  deleteModel(path: string): Promise<void>
  storage(): Promise<StorageUse>
  downloadSettings(): Promise<DownloadSettings>
  setDownloadSettings(settings: DownloadSettings): Promise<void>
  hubToken(): Promise<TokenState>
  /** Keeps the hub's token, or forgets it. */
  setHubToken(token: string | null): Promise<TokenState>
  /** Calls the listener for files dropped on the window. Resolves to a function that ends it. */
  onFilesDropped(listener: (paths: string[]) => void): Promise<() => void>
  suites(): Promise<SuiteInfo[]>
  estimate(request: RunRequest): Promise<Estimate>
  startRun(request: RunRequest): Promise<Job>
  tuning(): Promise<TuningState>
  /** Finds the settings that this device runs best with. */
  tune(request: TuneRequest): Promise<Job>
  forgetTuning(): Promise<void>
  /** Whether a device that is not tuned is, before its first run. */
  setAutomaticTuning(automatic: boolean): Promise<void>
  stopJob(id: string): Promise<Job>
  resumeJob(id: string): Promise<Job>
  jobs(): Promise<Job[]>
  runs(): Promise<RunSummary[]>
  result(runId: string): Promise<RunResult>
  samples(runId: string): Promise<SampleRow[]>
  /** Lets the person pick a place and writes the run there; answers the path, or `null` if they changed their mind. */
  exportRun(runId: string, format: ExportFormat): Promise<string | null>
  /** What others have published, checked without measuring. */
  claims(): Promise<ClaimsReport[]>
  /** Measures anew how fast memory is read, which takes a second, and keeps that. */
  measureBandwidth(): Promise<MeasuredBandwidth>
  /** Providers that are known before anything is set up. */
  providerPresets(): Promise<ProviderPreset[]>
  providers(): Promise<ProviderEntry[]>
  saveProvider(request: ProviderRequest): Promise<ProviderEntry>
  removeProvider(id: string): Promise<void>
  /** Keeps a provider's key, or forgets it. It never comes back. */
  setProviderKey(id: string, key: string | null): Promise<ProviderEntry>
  /** Asks a provider for its models. Rejected with what is wrong. */
  verifyProvider(id: string): Promise<ProviderEntry>
  /** Pinned first, then the latest; with `search`, those that have its words. */
  conversations(search: string, limit: number, offset: number): Promise<ConversationSummary[]>
  conversation(id: string): Promise<ConversationView>
  beginConversation(settings: ChatSettings): Promise<Conversation>
  changeConversation(id: string, change: ConversationChange): Promise<Conversation>
  /** For a day it can be brought back. */
  deleteConversation(id: string): Promise<void>
  restoreConversation(id: string): Promise<Conversation>
  /** Keeps a message's turn in the context, or lets it go. */
  pinMessage(id: string, pinned: boolean): Promise<void>
  /** Brings the newest path through a message into view. */
  showBranch(id: string, message: string): Promise<ConversationView>
  /** Says something and begins the answer, or asks whether it may leave the device. Events tell how it goes on. */
  sendMessage(request: SendRequest): Promise<SentTurn>
  /** Answers a question that has none yet, or has one of somebody else's. */
  answerQuestion(conversationId: string, question: string, by: AnswerBy): Promise<SentTurn>
  /** Answers once more beside the answer `of`; with another local model if one is named. */
  regenerate(conversationId: string, of: string, model: string | null): Promise<SentTurn>
  /** What it has stays. */
  stopAnswer(id: string): Promise<void>
  /** How full the context is; `null` while the model is not loaded. */
  contextMeter(id: string, draft: string): Promise<ContextMeter | null>
  /** Lets the person pick a place and writes there; answers the path, or `null` if they changed their mind. */
  exportConversation(id: string, format: ConversationFormat): Promise<string | null>
  /** Lets the person pick an exported conversation; `null` if they changed their mind. */
  importConversation(): Promise<Conversation | null>
  chatOptions(): Promise<ChatOptions>
  setChatOptions(options: ChatOptions): Promise<void>
  /** What the cloud has cost this month. */
  spending(): Promise<Spending>
  /** Puts one question to two local models. */
  startDuel(request: DuelRequest): Promise<Duel>
  voteDuel(question: string, vote: Vote): Promise<Duel>
  duelRanking(): Promise<DuelRanking>
  /** The latest first. */
  duels(limit: number): Promise<Duel[]>
  /** The models that chat keeps loaded, those that are answering first. */
  residentModels(): Promise<ResidentModel[]>
  /** Unloads those that nobody is talking to. */
  unloadModels(): Promise<void>
  /** Calls the listener for every event from now on. Resolves, once events flow, to a function that ends it. */
  subscribe(listener: (event: AppEvent) => void): Promise<() => void>
}

/** Turns whatever was thrown into an {@link ErrorReport}. */
export function asErrorReport(thrown: unknown): ErrorReport {
  if (typeof thrown === 'object' && thrown !== null && 'code' in thrown && 'message' in thrown) {
    return thrown as ErrorReport
  }
  return { code: 'INTERNAL', message: thrown instanceof Error ? thrown.message : String(thrown) }
}
