// A backend for a plain browser. Nothing it says was measured, and the UI says so on every screen. It is steered by
// the address (see e2e/README.md): `scenario` picks the state of the machine, `speed` how fast a run goes, `hold` after
// how many updates the running one stands still.
import type { Backend } from './backend'
import { createFakeChat } from './fake.chat'
import * as shop from './fixtures/catalogue'
import { claims } from './fixtures/claims'
import * as machine from './fixtures/machine'
import { presets } from './fixtures/presets'
import * as elsewhere from './fixtures/providers'
import {
  conclude,
  coolEnough,
  elapsedOf,
  failureOf,
  labelOf,
  measure,
  stepsOf,
  type Plan,
  type Profile,
  type Step,
} from './fixtures/results'
import { answers, customSuite, infoOf, suites } from './fixtures/suites'
import { tuning as tuningOf } from './fixtures/tuning'
import type {
  AppEvent,
  CatalogueEntry,
  ClaimsReport,
  DownloadSettings,
  ErrorReport,
  Job,
  JobKind,
  JobState,
  LimitsHere,
  LiveUpdate,
  ModelEntry,
  ModelSource,
  ProviderEntry,
  RunEntry,
  RunRequest,
  RunResult,
  RunSummary,
  SampleRow,
  Suite,
  TokenState,
} from './types'

/** States that the fake can be in. */
export const scenarios = [
  'full',
  'empty',
  'loading',
  'partial',
  'error',
  'running',
  'queued',
  'tradeoff',
  'nodifference',
  'failedcell',
  'withheld',
  'single',
  'sustained',
  'sustaining',
  'cooling',
  'tuning',
  'sweep',
  'paused',
  'interrupted',
  'cancelled',
  'failed',
  'already-running',
  'database-newer',
  'read-only',
  'offline',
  'gated',
  'disk-full',
  'checksum',
] as const
export type Scenario = (typeof scenarios)[number]

/** Identifier of the newest run of every scenario, and of its job. */
export const fixedRunId = '01930000-0000-7000-8000-000000000001'
export const fixedJobId = '01930000-0000-7000-9000-000000000001'

const fatal: Partial<Record<Scenario, ErrorReport>> = {
  'already-running': {
    code: 'ALREADY_RUNNING',
    message: 'another Pocketbench holds the data folder',
    hint: 'Use the window that is open already, or close it and try again.',
    details: { data_folder: machine.appInfo.data_folder },
  },
  'database-newer': {
    code: 'DATABASE_NEWER',
    message: 'the database has schema 7, and this version knows schemas up to 3',
    hint: 'Install the newest Pocketbench. The data is untouched.',
  },
  'read-only': {
    code: 'DATA_FOLDER_READ_ONLY',
    message: 'the data folder cannot be written',
    hint: 'Give yourself write access to the folder, or start with another one.',
    details: { data_folder: machine.appInfo.data_folder },
  },
}

/** How downloads end in some scenarios. */
const downloadFailures: Partial<Record<Scenario, ErrorReport>> = {
  offline: {
    code: 'NETWORK_UNAVAILABLE',
    message: 'hub.example could not be reached, or the connection broke off again and again.',
    hint: 'Check the network and the proxy, then resume. What is here already is kept.',
  },
  gated: {
    code: 'DOWNLOAD_TOKEN_REQUIRED',
    message: 'hub.example gives this model only to those who have a token.',
    hint: 'Accept its terms on its page, make a token there, and enter it under Downloads.',
  },
  'disk-full': {
    code: 'DISK_FULL',
    message: 'no space is left for the model: 512 MB are missing.',
    hint: 'Free some space and resume. What is here already is kept.',
  },
  checksum: {
    code: 'DOWNLOAD_CHECKSUM_MISMATCH',
    message: 'the file that came is not the one expected: its SHA-256 is another.',
    hint: 'Fetch it again. If that does not help, tell the publisher.',
  },
}

/** Bytes on their way. */
interface Transfer {
  job: Job
  /** What was fetched; nothing for an import. */
  source: ModelSource | null
  path: string
}

interface Run {
  plan: Plan
  job: Job
  steps: Step[]
  /** Next step to do. */
  at: number
  /** Updates already sent of that step. */
  tick: number
  sequence: number
  samples: SampleRow[]
  finishedAt: string | null
}

const start = Date.parse('2026-03-02T09:30:00Z')

export function createFakeBackend(parameters: URLSearchParams): Backend {
  const asked = parameters.get('scenario')
  const scenario = scenarios.find((s) => s === asked) ?? 'full'
  const speed = Number(parameters.get('speed') ?? 1) || 1
  const hold = parameters.has('hold') ? Number(parameters.get('hold')) : null

  const listeners = new Set<(event: AppEvent) => void>()
  const runs: Run[] = []
  const device = scenario === 'partial' ? machine.taciturnDevice : machine.device
  const untuned: Scenario[] = ['partial', 'empty', 'tuning']
  let tuned = untuned.includes(scenario) ? null : tuningOf(fixedRunId, false)
  let automaticTuning = true
  let quickTuning = false
  const models: ModelEntry[] =
    scenario === 'empty'
      ? []
      : scenario === 'partial'
        ? [...machine.models.slice(0, 1), machine.unreadModel, machine.brokenModel]
        : [...machine.models]
  if (scenario === 'partial') models.push(machine.missingModel)
  const entries: CatalogueEntry[] = shop.catalogue()
  const transfers: Transfer[] = []
  let downloads: DownloadSettings = {
    wifi_only: false,
    at_once: 2,
    connections: 4,
    mirror: null,
    proxy: null,
    catalogue_url: null,
    catalogue_trust: null,
  }
  let token: TokenState = 'none'
  let bandwidth = scenario === 'partial' ? null : machine.measuredBandwidth
  let clock = start
  let counter = 1
  let timer: ReturnType<typeof setTimeout> | undefined

  const now = () => new Date(clock).toISOString()
  const emit = (event: AppEvent) => {
    for (const listener of listeners) listener(structuredClone(event))
  }

  function fail(report: ErrorReport): never {
    throw report
  }

  /** Answers as the scenario wants: later, never, or with an error. */
  let providers: ProviderEntry[] =
    scenario === 'empty' ? [] : structuredClone(scenario === 'partial' ? elsewhere.unchecked : elsewhere.providers)
  function providerOf(id: string): ProviderEntry {
    return (
      providers.find(({ provider }) => provider.id === id) ??
      fail({ code: 'NOT_FOUND', message: `there is no provider “${id}”`, hint: 'Look it up in the list of providers.' })
    )
  }

  async function answer<T>(value: () => T): Promise<T> {
    if (scenario === 'loading') return new Promise<T>(() => undefined)
    await Promise.resolve()
    const report = fatal[scenario]
    if (report) fail(report)
    if (scenario === 'error')
      fail({
        code: 'INTERNAL',
        message: 'the operating system refused to read the data',
        hint: 'Try again. If it happens again, restart Pocketbench.',
        details: { os_error: 5 },
      })
    return structuredClone(value())
  }

  /** What the models of a publication could do at most with the bandwidth of now. */
  function limitsHere({ here }: ClaimsReport): LimitsHere | null {
    if (!here || !bandwidth) return null
    const faster = bandwidth.bytes_per_s / here.bandwidth.bytes_per_s
    return { bandwidth, limits: here.limits.map((limit) => ({ ...limit, limit_tps: limit.limit_tps * faster })) }
  }

  function suiteOf(request: Pick<RunRequest, 'suite' | 'custom' | 'minutes'>): Suite {
    const suite = structuredClone(
      request.custom
        ? customSuite(request.custom)
        : (suites.find((s) => s.id === request.suite) ??
            fail({ code: 'NOT_FOUND', message: `no suite ${request.suite}` })),
    )
    for (const { work } of suite.tasks)
      if (work.kind === 'sustained' && request.minutes !== null) work.seconds = request.minutes * 60
    return suite
  }

  /** One entry a model, or a value of the sweep. */
  function entriesOf(suite: Suite, models: RunEntry['model'][], threads: number | null): RunEntry[] {
    const settings = { ...machine.settings, n_ctx: suite.n_ctx }
    if (threads !== null) settings.n_threads = settings.n_threads_batch = threads
    return models.flatMap((model): RunEntry[] => {
      switch (suite.sweep?.axis) {
        case 'threads':
          return [1, 2, 4, 5, 6, 8].map((n) => ({
            model,
            settings: { ...settings, n_threads: n, n_threads_batch: n },
            variant: n === 1 ? '1 thread' : `${n} threads`,
          }))
        case 'kv_type':
          return suite.sweep.values.map((kv) => ({
            model,
            settings: { ...settings, kv_type_k: kv, kv_type_v: kv },
            variant: `KV ${kv}`,
          }))
        default:
          return [{ model, settings }]
      }
    })
  }

  /** The suite that is asked for, or what is wrong with the request. */
  function checked(request: RunRequest): Suite {
    const suite = suiteOf(request)
    if (request.threads !== null && (request.threads < 1 || request.threads > device.logical_cores))
      fail({
        code: 'INVALID_INPUT',
        message: `${request.threads} threads were asked for, and this device has ${device.logical_cores} for them`,
        hint: 'More threads than cores wait for each other and slow everything down.',
      })
    for (const { id, work } of suite.tasks)
      if (work.kind === 'sustained' && !(work.seconds >= 1 && work.seconds <= 3600))
        fail({
          code: 'SUITE_INVALID',
          message: `suite \`${suite.id}\`: task \`${id}\` must last 1 to 3600 seconds`,
          hint: 'Correct that value and start again.',
        })
    return suite
  }

  function create(
    profile: Profile,
    count: number,
    suite: Suite,
    fixed = false,
    picked?: string[],
    threads: number | null = null,
  ): Run {
    const chosen = (picked ?? machine.modelRefs.slice(0, count).map((ref) => ref.path)).map(
      (path) =>
        models.find((entry) => entry.path === path)?.model ??
        machine.modelRefs.find((ref) => ref.path === path) ??
        fail({ code: 'MODEL_FILE_NOT_FOUND', message: `no model at ${path}` }),
    )
    if (!fixed) counter += 1
    const n = String(fixed ? 1 : counter).padStart(12, '0')
    const plan: Plan = {
      runId: `01930000-0000-7000-8000-${n}`,
      jobId: `01930000-0000-7000-9000-${n}`,
      entries: entriesOf(suite, chosen, threads),
      suite,
      profile,
      startedAt: now(),
      device,
    }
    const steps = stepsOf(plan)
    const run: Run = {
      plan,
      steps,
      at: 0,
      tick: 0,
      sequence: 0,
      samples: [],
      finishedAt: null,
      job: {
        id: plan.jobId,
        kind: 'run',
        state: 'queued',
        title: `${chosen.map((model) => model.header.name).join(' against ')} · ${suite.id}`,
        progress: {
          done: 0,
          total: steps.filter((step) => !step.cooling).length,
          unit: 'repetitions',
          rate: null,
          eta_s: null,
        },
        run_id: plan.runId,
        error: null,
        log_tail: [],
        created_at: now(),
        updated_at: now(),
      },
    }
    runs.unshift(run)
    return run
  }

  function advance(run: Run): void {
    const step = run.steps[run.at]
    if (!step) return
    if (!step.cooling && !failureOf(run.plan, step)) run.samples.push(measure(run.plan, step))
    run.at += 1
    run.tick = 0
    run.sequence += 1
    clock += 3100
    const measured = run.steps.slice(0, run.at).filter((step) => !step.cooling).length
    const left = (run.job.progress.total ?? 0) - measured
    run.job.progress = { ...run.job.progress, done: measured, rate: 1 / 3.1, eta_s: left * 3.1 }
    run.job.updated_at = now()
  }

  function settle(run: Run, state: JobState, error: ErrorReport | null = null): void {
    run.job = { ...run.job, state, error, updated_at: now() }
    if (state === 'done') run.finishedAt = now()
    if (state !== 'running') run.job.progress = { ...run.job.progress, rate: null, eta_s: null }
    emit({ kind: 'job', job: run.job })
  }

  const ticksOf = (step: Step) =>
    step.cooling ? 20 : step.task.work.kind === 'load' || step.task.work.kind === 'sustained' || step.warmup ? 3 : 9

  function liveOf(run: Run, step: Step): LiveUpdate {
    const sample = measure(run.plan, step)
    const rate = sample.figures.find((f) => /^(decode|batch|synthetic)_tps$/.test(f.metric))?.value ?? null
    const peak = sample.figures.find((f) => f.metric === 'peak_rss_bytes')?.value ?? 120e6
    const told = device.battery !== null
    const { work } = step.task
    const answer = step.cooling ? '' : (answers[step.task.id] ?? sample.text ?? '')
    const ticks = ticksOf(step)
    const piece = (n: number) => Math.floor((answer.length * n) / ticks)
    const wave = 1 + 0.02 * Math.sin(run.tick * 1.7 + run.at)
    const share = step.task.work.kind === 'load' ? (run.tick + 1) / ticks : 1
    return {
      job_id: run.job.id,
      run_id: run.plan.runId,
      slot: step.slot,
      model: run.plan.entries[step.slot] ? labelOf(run.plan.entries[step.slot] as RunEntry) : '',
      tuning: transfers.find(({ job }) => job.kind === 'tune' && job.state === 'running')?.job.id ?? null,
      task_id: step.task.id,
      task_title: step.task.title,
      repetition: step.repetition,
      repetitions: step.warmup ? 1 : work.kind === 'sustained' ? 1 : run.plan.suite.repetitions,
      warmup: step.warmup,
      sequence: run.sequence,
      text: answer.slice(piece(run.tick), piece(run.tick + 1)),
      tokens_per_s: rate === null || step.cooling ? null : rate * wave,
      rss_bytes: Math.round(peak * share),
      ram_bytes: device.ram_bytes,
      ram_available_bytes: device.ram_available_bytes - Math.round(peak * share),
      celsius: step.cooling ? 70.6 - run.tick * 1.4 : (sample.conditions?.temperatures[0]?.celsius.mean ?? null),
      thermal_status: told ? (sample.conditions?.thermal_status ?? 'none') : null,
      cooling_to_c: step.cooling ? coolEnough : null,
      elapsed_s: work.kind === 'sustained' && !step.warmup ? elapsedOf(step.task, step.repetition) : null,
      of_s: work.kind === 'sustained' && !step.warmup ? work.seconds : null,
    }
  }

  /** One update of the run that is running; false if there is none. */
  function tick(): boolean {
    const run = runs.find((r) => r.job.state === 'running')
    if (!run) return false
    const step = run.steps[run.at]
    if (!step) {
      settle(run, 'done')
      const next = runs.findLast((r) => r.job.state === 'queued')
      if (next) settle(next, 'running')
      return true
    }
    emit({ kind: 'live', live: liveOf(run, step) })
    run.tick += 1
    if (run.tick >= ticksOf(step)) {
      advance(run)
      emit({ kind: 'job', job: run.job })
    }
    return true
  }

  function drive(): void {
    if (timer !== undefined) return
    timer = setTimeout(() => {
      timer = undefined
      if (hold !== null) for (let i = 0; i < hold; i++) tick()
      else if (tick()) drive()
    }, 100 / speed)
  }

  function transferOf(kind: JobKind, title: string, total: number, path: string, source: ModelSource | null): Transfer {
    const job: Job = {
      id: `01930000-0000-7000-a000-${String(transfers.length + 1).padStart(12, '0')}`,
      kind,
      state: 'running',
      title,
      progress: { done: 0, total, unit: 'bytes', rate: null, eta_s: null },
      run_id: null,
      error: null,
      log_tail: [],
      created_at: now(),
      updated_at: now(),
    }
    const transfer = { job, source, path }
    transfers.push(transfer)
    carry()
    return transfer
  }

  function startTuning(): Job {
    const { job } = transferOf('tune', 'SmolLM2 135M Instruct · Q4_1', quickTuning ? 28 : 140, '', null)
    job.progress.unit = 'repetitions'
    return job
  }

  function setState(transfer: Transfer, state: JobState, error: ErrorReport | null = null): void {
    transfer.job.state = state
    transfer.job.error = error
    transfer.job.progress.rate = null
    transfer.job.progress.eta_s = null
    clock += 1
    transfer.job.updated_at = now()
    emit({ kind: 'job', job: transfer.job })
    if (state === 'running') {
      left = Infinity
      carry()
    }
  }

  let carrying: ReturnType<typeof setTimeout> | undefined
  /** Updates until all stands still; a person who resumes one sets everything going for good. */
  let left = hold ?? Infinity
  /** A twentieth of each transfer at a time. */
  function carry(): void {
    if (carrying !== undefined || left <= 0) return
    carrying = setTimeout(() => {
      carrying = undefined
      left -= 1
      const moving = transfers.filter(({ job }) => job.state === 'running')
      for (const transfer of moving) {
        const { progress } = transfer.job
        const total = progress.total ?? 0
        progress.done = Math.min(total, progress.done + total / 20)
        progress.rate = (total / 20) * 10 * speed
        progress.eta_s = (total - progress.done) / progress.rate
        clock += 100
        transfer.job.updated_at = now()
        const failure = transfer.source ? downloadFailures[scenario] : undefined
        if (failure && progress.done >= total * 0.3) setState(transfer, 'failed', failure)
        else if (progress.done >= total) arrive(transfer)
        else emit({ kind: 'job', job: transfer.job })
      }
      if (moving.length > 0) carry()
    }, 100 / speed)
  }

  function arrive(transfer: Transfer): void {
    if (transfer.job.kind === 'tune') {
      tuned = tuningOf(fixedRunId, quickTuning)
      setState(transfer, 'done')
      return
    }
    const entry = machine.pickedModel(transfer.path)
    const at = transfer.source ? shop.headerAt(transfer.source) : null
    if (entry.model && at) {
      entry.model.header = at.header
      entry.model.file_bytes = entry.file_bytes = at.bytes
      entry.fit = machine.fitOf(entry.model)
      entry.title = at.header.name
    }
    if (entry.model) entry.model.sha256 = shop.sha256(transfer.path)
    entry.source = transfer.source
    if (!models.some((known) => known.path === entry.path)) models.push(entry)
    setState(transfer, 'done')
  }

  const same = (a: ModelSource, b: ModelSource) => JSON.stringify(a) === JSON.stringify(b)

  function transferByJob(id: string): Transfer | undefined {
    return transfers.find(({ job }) => job.id === id)
  }

  function pathOf(source: ModelSource): string {
    const name = source.kind === 'repository' ? `${source.repository.replace('/', '--')}/${source.path}` : source.url
    return `${machine.appInfo.models_folder}/${name}`
  }

  function listEntries(): CatalogueEntry[] {
    for (const entry of entries) {
      for (const file of entry.files) {
        const transfer = transfers.findLast(({ source }) => source && same(source, file.source))
        file.job_id = transfer?.job.id ?? null
        const half = transfer && transfer.job.state !== 'done'
        file.partial_bytes = half ? transfer.job.progress.done : null
        file.installed = models.find(({ source }) => source && same(source, file.source))?.path ?? null
      }
    }
    return entries
  }

  function modelAt(path: string): ModelEntry {
    return (
      models.find((entry) => entry.path === path) ??
      fail({ code: 'MODEL_FILE_NOT_FOUND', message: `there is no file at ${path}`, hint: 'Check the path.' })
    )
  }

  function runById(runId: string): Run {
    return runs.find((r) => r.plan.runId === runId) ?? fail({ code: 'NOT_FOUND', message: `no run ${runId}` })
  }

  function runByJob(id: string): Run {
    return runs.find((r) => r.job.id === id) ?? fail({ code: 'NOT_FOUND', message: `no job ${id}` })
  }

  function summaryOf(run: Run): RunSummary {
    const cells = conclude(run.plan, run.samples, run.finishedAt).tasks.flatMap((task) => task.cells)
    return {
      id: run.plan.runId,
      job_id: run.job.id,
      state: run.job.state,
      models: run.plan.entries.map(labelOf),
      suite: run.plan.suite.title,
      started_at: run.plan.startedAt,
      finished_at: run.finishedAt,
      cells_finished: cells.filter((cell) => cell.state !== 'pending').length,
      cells_total: cells.length,
    }
  }

  function complete(run: Run, upTo = run.steps.length): void {
    while (run.at < upTo) advance(run)
  }

  function seed(): void {
    if (scenario === 'empty' || fatal[scenario]) return
    const history: [Profile, number, string, string[]?][] = [
      ['better', 1, 'quick'],
      ['nodifference', 2, 'standard', [machine.modelRefs[2], machine.modelRefs[0]].map((ref) => ref?.path ?? '')],
      ['tradeoff', 2, 'quick', [machine.modelRefs[2], machine.modelRefs[3]].map((ref) => ref?.path ?? '')],
    ]
    for (const [profile, count, suite, picked] of history) {
      const run = create(profile, count, suiteOf({ suite, custom: null, minutes: null }), false, picked)
      complete(run)
      settle(run, 'done')
      clock += 86_400_000 * 0.8
    }
    const profiles: Partial<Record<Scenario, Profile>> = {
      tradeoff: 'tradeoff',
      nodifference: 'nodifference',
      failedcell: 'failedcell',
      withheld: 'withheld',
    }
    const heat = scenario === 'sustained' || scenario === 'sustaining' || scenario === 'cooling'
    const suite = heat ? 'sustained' : scenario === 'sweep' ? 'threads' : 'quick'
    const run = create(
      profiles[scenario] ?? 'better',
      scenario === 'single' || scenario === 'sweep' ? 1 : 2,
      suiteOf({ suite, custom: null, minutes: null }),
      true,
    )
    const half = Math.floor(run.steps.length * 0.45)
    switch (scenario) {
      case 'running':
        complete(run, half)
        settle(run, 'running')
        break
      case 'tuning':
        settle(run, 'running')
        startTuning()
        break
      case 'sustaining':
        complete(run, 35)
        settle(run, 'running')
        break
      case 'cooling':
        complete(
          run,
          run.steps.findIndex((step) => step.cooling),
        )
        settle(run, 'running')
        break
      case 'paused':
        complete(run, half)
        settle(run, 'paused')
        break
      case 'queued':
        break
      case 'partial':
      case 'cancelled':
        complete(run, half)
        settle(run, 'cancelled')
        break
      case 'interrupted':
        complete(run, half)
        settle(run, 'interrupted')
        break
      case 'failed':
        complete(run, half)
        run.job.log_tail = ['worker 4101 started', 'loaded in 112 ms', 'write failed: no space left']
        settle(run, 'failed', {
          code: 'DISK_FULL',
          message: 'no space is left where the data is kept',
          hint: 'Free some space and resume. Nothing that was measured is lost.',
          details: { free_bytes: 0, data_folder: machine.appInfo.data_folder },
        })
        break
      default:
        complete(run)
        settle(run, 'done')
    }
  }

  seed()

  const chat = createFakeChat({
    answer,
    emit,
    fail,
    empty: scenario === 'empty',
    speed,
    hold,
    models: () => models,
    providers: () => providers,
    measuring: () => runs.some((run) => run.job.state === 'running'),
  })

  return {
    simulated: true,

    appInfo: () =>
      scenario === 'error' || scenario === 'loading' ? Promise.resolve(machine.appInfo) : answer(() => machine.appInfo),
    device: () => answer(() => device),
    deviceReport: () =>
      answer(() => ({ ...(device === machine.taciturnDevice ? machine.taciturnReport : machine.report), bandwidth })),
    models: () => answer(() => models),
    addModel: (path) =>
      answer(() => {
        const entry = machine.pickedModel(path)
        if (!models.some((known) => known.path === path)) models.push(entry)
        return entry
      }),
    pickModelFile: () => Promise.resolve(machine.pickedPath),
    catalogue: () => answer(listEntries),
    addRepository: (reference) =>
      answer(() => {
        const failure = downloadFailures[scenario]
        if (failure) fail(failure)
        if (!reference.includes('/'))
          fail({
            code: 'URL_INVALID',
            message: `“${reference}” is neither a repository (owner/name) nor an address.`,
            hint: 'Give a repository such as owner/name, its address, or the https address of a .gguf file.',
          })
        const entry = shop.addedEntry(reference)
        entries.unshift(entry)
        return entry
      }),
    removeRepository: (id) =>
      answer(() => {
        const at = entries.findIndex((entry) => entry.model.id === id)
        if (at >= 0) entries.splice(at, 1)
      }),
    updateCatalogue: () =>
      answer(() =>
        downloads.catalogue_url
          ? 2
          : fail({
              code: 'INVALID_INPUT',
              message: 'no address for a newer catalogue is set',
              hint: 'Set its address and the key or hash that makes it trusted.',
            }),
      ),
    modelFit: (path) =>
      answer(() => {
        const { model, file_bytes } = modelAt(path)
        return model
          ? shop.fitReport(model.header, file_bytes, 0)
          : fail({ code: 'NOT_FOUND', message: 'not read yet' })
      }),
    sourceFit: (source) =>
      answer(() => {
        const failure = downloadFailures[scenario]
        if (failure) fail(failure)
        const at = shop.headerAt(source)
        return at
          ? shop.fitReport(at.header, at.bytes, 393_216)
          : fail({ code: 'DOWNLOAD_NOT_FOUND', message: 'hub.example has no such file.', hint: 'Check the name.' })
      }),
    download: ({ source }) =>
      answer(() => {
        const name = source.kind === 'repository' ? source.path : source.url
        const file = entries.flatMap((entry) => entry.files).find((f) => same(f.source, source))
        return transferOf('download', name, file?.bytes ?? 1e9, pathOf(source), source).job
      }),
    pauseJob: (id) =>
      answer(() => {
        const transfer = transferByJob(id)
        if (transfer) {
          setState(transfer, 'paused')
          return transfer.job
        }
        const run = runByJob(id)
        if (run.job.state === 'running' || run.job.state === 'queued') settle(run, 'paused')
        return run.job
      }),
    discardPartial: (fileName) =>
      answer(() => {
        const at = transfers.findIndex(({ path }) => path.endsWith(fileName))
        if (at >= 0) transfers.splice(at, 1)
      }),
    importModel: (path, mode) =>
      answer(() => {
        const name = path.split('/').at(-1) ?? path
        const target = mode === 'copy' ? `${machine.appInfo.models_folder}/${name}` : path
        return transferOf(mode === 'copy' ? 'import' : 'verify', name, 386e6, target, null).job
      }),
    foundModels: () => answer(() => (scenario === 'empty' ? [] : shop.foundModels)),
    locateModel: (sha256, path) =>
      answer(() => {
        const at = models.findIndex((entry) => entry.model?.sha256 === sha256)
        const entry = machine.pickedModel(path)
        if (at >= 0) models.splice(at, 1, entry)
        return entry
      }),
    verifyModel: (path) =>
      answer(() => {
        const entry = modelAt(path)
        return transferOf('verify', entry.file_name, entry.file_bytes, path, null).job
      }),
    deletePreview: (path) =>
      answer(() => {
        const entry = modelAt(path)
        return {
          path,
          files: entry.reference ? [] : [path],
          freed_bytes: entry.reference ? 0 : entry.file_bytes,
          runs: runs.filter((run) => run.plan.entries.some(({ model }) => model.path === path)).map(summaryOf),
          source: entry.source,
        }
      }),
    deleteModel: (path) =>
      answer(() => {
        models.splice(models.indexOf(modelAt(path)), 1)
      }),
    storage: () =>
      answer(() => ({
        folder: machine.appInfo.models_folder,
        models_bytes: models.reduce((sum, entry) => sum + (entry.reference ? 0 : entry.file_bytes), 0),
        partials: transfers
          .filter(({ job, source }) => source && job.state !== 'done' && job.progress.done > 0)
          .map(({ job, path }) => ({
            file_name: path.slice(machine.appInfo.models_folder.length + 1),
            bytes: job.progress.done,
            total_bytes: job.progress.total,
            job_id: job.id,
          })),
        free_bytes: device.storage_free_bytes,
      })),
    downloadSettings: () => answer(() => downloads),
    setDownloadSettings: (settings) =>
      answer(() => {
        downloads = structuredClone(settings)
      }),
    hubToken: () => answer(() => token),
    setHubToken: (given) => answer(() => (token = given === null ? 'none' : 'key_store')),
    onFilesDropped(listener) {
      // Browsers do not tell where a file lies; tests send this instead.
      const drop = (event: Event) => listener((event as CustomEvent<string[]>).detail)
      window.addEventListener('files-dropped', drop)
      return Promise.resolve(() => window.removeEventListener('files-dropped', drop))
    },
    suites: () => answer(() => suites.map(infoOf)),
    estimate: (request) =>
      answer(() => {
        const suite = checked({ ...request, threads: null })
        const bytes = request.models.reduce(
          (sum, path) => sum + (models.find((e) => e.path === path)?.file_bytes ?? 0),
          0,
        )
        const lasting = suite.tasks.reduce((sum, { work }) => sum + (work.kind === 'sustained' ? work.seconds : 0), 0)
        const entries = suite.sweep?.axis === 'threads' ? 6 : (suite.sweep?.values.length ?? 1)
        const once = (((bytes / 1e8) * 11 + 25) * suite.tasks.length) / 7
        return {
          seconds: lasting ? lasting * request.models.length : once * entries * suite.repetitions * 0.9,
          measured: request.models.length === 1,
        }
      }),
    startRun: (request) =>
      answer(() => {
        const busy = runs.some((r) => r.job.state === 'running')
        const profile = { tradeoff: 'tradeoff', nodifference: 'nodifference', failedcell: 'failedcell' } as const
        const suite = checked(request)
        const run = create(
          profile[scenario as keyof typeof profile] ?? 'better',
          0,
          suite,
          false,
          request.models,
          request.threads,
        )
        settle(run, busy ? 'queued' : 'running')
        drive()
        return run.job
      }),
    tuning: () => answer(() => ({ tuning: tuned, automatic: automaticTuning })),
    tune: ({ quick }) =>
      answer(() => {
        quickTuning = quick
        return startTuning()
      }),
    forgetTuning: () =>
      answer(() => {
        tuned = null
      }),
    setAutomaticTuning: (automatic) =>
      answer(() => {
        automaticTuning = automatic
      }),
    stopJob: (id) =>
      answer(() => {
        const transfer = transferByJob(id)
        if (transfer) {
          setState(transfer, 'cancelled')
          return transfer.job
        }
        const run = runByJob(id)
        if (['running', 'queued', 'paused'].includes(run.job.state)) settle(run, 'cancelled')
        return run.job
      }),
    resumeJob: (id) =>
      answer(() => {
        const transfer = transferByJob(id)
        if (transfer) {
          setState(transfer, 'running')
          return transfer.job
        }
        const run = runByJob(id)
        settle(run, 'running')
        drive()
        return run.job
      }),
    jobs: () => answer(() => [...transfers.map(({ job }) => job), ...runs.map((run) => run.job)]),
    runs: () => answer(() => runs.map(summaryOf)),
    result: (runId) =>
      answer((): RunResult => {
        const run = runById(runId)
        return conclude(run.plan, run.samples, run.finishedAt)
      }),
    samples: (runId) => answer(() => runById(runId).samples),
    exportRun: (runId, format) =>
      answer(() => {
        runById(runId)
        return `/home/tester/Documents/pocketbench.${format === 'markdown' ? 'md' : format}`
      }),
    claims: () =>
      answer(() => (scenario === 'empty' ? [] : claims.map((report) => ({ ...report, here: limitsHere(report) })))),
    measureBandwidth: () =>
      answer(() => {
        if (runs.some((run) => run.job.state === 'running'))
          fail({
            code: 'INVALID_INPUT',
            message: 'something else is being measured now, and two measurements would disturb each other',
            hint: 'Try again when it is done.',
          })
        bandwidth = { ...machine.measuredBandwidth, bytes_per_s: 20.6e9, measured_at: now() }
        return bandwidth
      }),
    providerPresets: () => answer(() => presets),
    providers: () => answer(() => providers),
    saveProvider: (request) =>
      answer(() => {
        const preset = presets.find(({ id }) => id === request.preset)
        if (!preset) return fail({ code: 'NOT_FOUND', message: `there is no preset “${request.preset}”` })
        const baseUrl = request.base_url ?? preset.base_url ?? ''
        if (!/^https?:\/\/[^/?#]+[^?#]*$/.test(baseUrl))
          fail({
            code: 'INVALID_INPUT',
            message: 'The endpoint cannot be used: the address is no URL.',
            hint: "Copy the base URL from the provider's page, such as https://example.com/v1.",
          })
        const before = providers.find(({ provider }) => provider.id === request.id)
        const sameHost = before && new URL(before.provider.base_url).origin === new URL(baseUrl).origin
        const provider = {
          id:
            before?.provider.id ?? (providers.some((p) => p.provider.id === preset.id) ? `${preset.id}-2` : preset.id),
          title: request.title ?? preset.title,
          preset: preset.id,
          base_url: baseUrl,
          model: request.model,
          checked: before?.provider.base_url === baseUrl ? before.provider.checked : null,
        }
        const entry: ProviderEntry = { provider, preset, key: (sameHost && before.key) || 'none', price: null }
        if (before) providers.splice(providers.indexOf(before), 1, entry)
        else providers.push(entry)
        return entry
      }),
    removeProvider: (id) =>
      answer(() => {
        providers = providers.filter(({ provider }) => provider.id !== id)
      }),
    setProviderKey: (id, key) =>
      answer(() => {
        const entry = providerOf(id)
        const prefix = entry.preset.key_prefix
        if (key !== null && /\s/.test(key.trim()))
          fail({
            code: 'INVALID_INPUT',
            message: 'this is no token: it is empty, too long, or has spaces or line breaks in it',
            hint: 'Copy it again, without anything around it.',
          })
        if (key !== null && prefix && !key.startsWith(prefix))
          fail({
            code: 'INVALID_INPUT',
            message: `The endpoint cannot be used: every key of ${entry.preset.title} begins with “${prefix}”, and this one does not.`,
            hint: "Copy the whole key from the provider's page.",
          })
        entry.key = key === null ? 'none' : 'key_store'
        entry.provider.checked = null
        return entry
      }),
    verifyProvider: (id) =>
      answer(() => {
        const entry = providerOf(id)
        if (scenario === 'offline')
          fail({
            code: 'PROVIDER_UNREACHABLE',
            message: `${new URL(entry.provider.base_url).host} cannot be reached: name or service not known`,
            hint: 'Check the network, the address and the proxy; for a server of your own, that it runs.',
          })
        if (entry.preset.needs_key && entry.key === 'none')
          fail({
            code: 'PROVIDER_UNAUTHORIZED',
            message: `${new URL(entry.provider.base_url).host} does not accept the key: “Missing bearer authentication”`,
            hint: 'It wants a key: make one at the provider and enter it in the settings.',
          })
        entry.provider.checked = {
          ...elsewhere.checked,
          key: entry.key === 'none' ? 'none' : entry.provider.preset === 'openrouter' ? 'not_tested' : 'accepted',
        }
        return entry
      }),
    ...chat,

    async subscribe(listener) {
      await answer(() => null)
      listeners.add(listener)
      if (runs.some((run) => run.job.state === 'running')) drive()
      return () => {
        listeners.delete(listener)
      }
    },
  }
}
