import { getContext, setContext } from 'svelte'
import { SvelteMap } from 'svelte/reactivity'
import { asErrorReport, type Backend } from '../backend/backend'
import type { AppEvent, CustomSuite, ErrorCode, ErrorReport, Job, JobState } from '../backend/types'
import { Chat } from './chat.svelte'
import { LiveRun } from './live.svelte'
import { Resource } from './resource.svelte'

/** Errors with which nothing in the app can work: they take the whole window. */
const fatalCodes: ErrorCode[] = ['ALREADY_RUNNING', 'DATABASE_NEWER', 'DATABASE_CORRUPT', 'DATA_FOLDER_READ_ONLY']

const active: JobState[] = ['queued', 'running', 'paused']
const resumable: JobState[] = ['cancelled', 'interrupted', 'failed', 'paused']

export const isActive = (job: Job): boolean => active.includes(job.state)
export const canResume = (job: Job): boolean => resumable.includes(job.state)

/** What all screens share: the machine, its models, and everything that runs. */
export class AppState {
  fatal = $state.raw<ErrorReport>()
  readonly live = new LiveRun()
  readonly chat = new Chat()
  /** The suite that the person writes; kept while they look at other screens. */
  readonly ownSuite = $state<CustomSuite>({ prompts: [''], max_tokens: 128, repetitions: 5, fixed_length: false })
  readonly info
  readonly device
  readonly models
  readonly suites
  readonly runs
  readonly catalogue
  readonly storage
  readonly jobList
  readonly #jobs = new SvelteMap<string, Job>()
  #opened = false
  #unsubscribe: (() => void) | undefined

  constructor(readonly backend: Backend) {
    this.info = this.resource(() => backend.appInfo())
    this.device = this.resource(() => backend.device())
    this.models = this.resource(() => backend.models())
    this.suites = this.resource(() => backend.suites())
    this.runs = this.resource(() => backend.runs())
    this.catalogue = this.resource(() => backend.catalogue())
    this.storage = this.resource(() => backend.storage())
    this.jobList = this.resource(async () => {
      const jobs = await backend.jobs()
      for (const job of jobs) this.#keep(job)
      return jobs
    })
  }

  /** A resource whose fatal errors take the whole window. */
  resource<T>(fetch: () => Promise<T>): Resource<T> {
    return new Resource(fetch, (error) => this.noteFatal(error))
  }

  noteFatal(error: ErrorReport): void {
    if (fatalCodes.includes(error.code)) this.fatal = error
  }

  /** Opens the backend and loads what the first screen needs. Called again by *Try again*. */
  async open(): Promise<void> {
    await this.info.load()
    if (this.info.error) {
      this.fatal = this.info.error
      return
    }
    this.fatal = undefined
    const loads = [this.device.load(), this.models.load(), this.suites.load()]
    // Subscribe before reading the list, so that no change falls between the two.
    await this.#listen()
    await Promise.all([...loads, this.jobList.load()])
    this.#opened = true
  }

  async #listen(): Promise<void> {
    this.#unsubscribe?.()
    try {
      this.#unsubscribe = await this.backend.subscribe((event) => this.#take(event))
    } catch (thrown) {
      this.noteFatal(asErrorReport(thrown))
    }
  }

  #take(event: AppEvent): void {
    if (event.kind === 'live') this.live.take(event.live)
    else if (event.kind === 'job') this.#keep(event.job)
    else this.chat.take(event.update)
  }

  #keep(job: Job): void {
    const known = this.#jobs.get(job.id)
    if (known && Date.parse(known.updated_at) > Date.parse(job.updated_at)) return
    this.#jobs.set(job.id, job)
    // A finished run may have taught the estimate something, and added a model's hash.
    if (known && isActive(known) && !isActive(job) && this.#opened) {
      void this.models.load()
      if (this.catalogue.value) void this.catalogue.load()
      if (this.storage.value) void this.storage.load()
      if (this.runs.value) void this.runs.load()
    }
  }

  /** Newest first. */
  get jobs(): Job[] {
    return [...this.#jobs.values()].sort((a, b) => b.created_at.localeCompare(a.created_at))
  }

  get activeJobs(): Job[] {
    return this.jobs.filter(isActive)
  }

  job(id: string): Job | undefined {
    return this.#jobs.get(id)
  }

  /** Calls a command that answers a job and keeps the answer. Rejects with an error report. */
  async command(call: Promise<Job>): Promise<Job> {
    try {
      const job = await call
      this.#keep(job)
      return job
    } catch (thrown) {
      const error = asErrorReport(thrown)
      this.noteFatal(error)
      throw error
    }
  }
}

const key = Symbol('app')
export const provideApp = (app: AppState): AppState => setContext(key, app)
export const useApp = (): AppState => getContext<AppState>(key)
