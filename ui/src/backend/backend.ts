import type {
  AppEvent,
  AppInfo,
  DeviceProfile,
  ErrorReport,
  Estimate,
  ExportFormat,
  Job,
  ModelEntry,
  RunRequest,
  RunResult,
  RunSummary,
  SampleRow,
  SuiteInfo,
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
  models(): Promise<ModelEntry[]>
  /** Reads, checks and hashes a file and adds it to the list. */
  addModel(path: string): Promise<ModelEntry>
  /** Lets the person pick a GGUF file; `null` if they changed their mind. */
  pickModelFile(): Promise<string | null>
  suites(): Promise<SuiteInfo[]>
  estimate(request: RunRequest): Promise<Estimate>
  startRun(request: RunRequest): Promise<Job>
  stopJob(id: string): Promise<Job>
  resumeJob(id: string): Promise<Job>
  jobs(): Promise<Job[]>
  runs(): Promise<RunSummary[]>
  result(runId: string): Promise<RunResult>
  samples(runId: string): Promise<SampleRow[]>
  /** Lets the person pick a place and writes the run there; answers the path, or `null` if they changed their mind. */
  exportRun(runId: string, format: ExportFormat): Promise<string | null>
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
