import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createFakeBackend, fixedJobId, fixedRunId, scenarios } from './fake'
import type { AppEvent, Job, LiveUpdate } from './types'

const fake = (query: string) => createFakeBackend(new URLSearchParams(query))

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const quick = { suite: 'quick', custom: null, minutes: null, threads: null }

async function twoModels(backend: ReturnType<typeof fake>): Promise<string[]> {
  const models = await backend.models()
  return models
    .filter((entry) => entry.fit?.class === 'fits')
    .slice(0, 2)
    .map((entry) => entry.path)
}

describe('a run', () => {
  test('streams its progress and ends in a result that is complete', async () => {
    const backend = fake('')
    const events: AppEvent[] = []
    await backend.subscribe((event) => events.push(event))
    const job = await backend.startRun({ models: await twoModels(backend), ...quick })
    expect(job.state).toBe('running')
    await vi.runAllTimersAsync()

    const jobs = events.flatMap((event) => (event.kind === 'job' ? [event.job] : []))
    const live = events.flatMap((event) => (event.kind === 'live' ? [event.live] : []))
    expect(jobs.at(-1)?.state).toBe('done')
    expect(jobs.map((j) => j.progress.done)).toEqual(jobs.map((j) => j.progress.done).toSorted((a, b) => a - b))
    expect(new Set(live.map((update) => update.slot))).toEqual(new Set([0, 1]))
    expect(live.some((update) => update.warmup)).toBe(true)

    const result = await backend.result(job.run_id ?? '')
    expect(result.run.finished_at).not.toBeNull()
    expect(result.tasks.flatMap((task) => task.cells).every((cell) => cell.state === 'done')).toBe(true)
    const samples = await backend.samples(job.run_id ?? '')
    expect(samples.filter((sample) => !sample.warmup)).toHaveLength(2 * 7 * 3)
  })

  test('text in pieces is the text that is stored', async () => {
    const backend = fake('')
    const pieces = new Map<number, LiveUpdate[]>()
    await backend.subscribe((event) => {
      if (event.kind === 'live')
        pieces.set(event.live.sequence, [...(pieces.get(event.live.sequence) ?? []), event.live])
    })
    const job = await backend.startRun({ models: (await twoModels(backend)).slice(0, 1), ...quick })
    await vi.runAllTimersAsync()
    const stored = await backend.samples(job.run_id ?? '')
    const code = [...pieces.values()].find(([first]) => first?.task_id === 'code-1' && !first.warmup) ?? []
    expect(code.map((update) => update.text).join('')).toBe(stored.find((sample) => sample.task_id === 'code-1')?.text)
  })

  test('stops at once, keeps what was measured, and resumes to its end', async () => {
    const backend = fake('')
    const seen: Job[] = []
    await backend.subscribe((event) => {
      if (event.kind === 'job') seen.push(event.job)
    })
    const job = await backend.startRun({ models: await twoModels(backend), ...quick })
    await vi.advanceTimersByTimeAsync(4_000)
    const stopped = await backend.stopJob(job.id)
    expect(stopped.state).toBe('cancelled')
    const kept = await backend.samples(job.run_id ?? '')
    expect(kept.length).toBeGreaterThan(0)
    await vi.advanceTimersByTimeAsync(4_000)
    expect(await backend.samples(job.run_id ?? '')).toEqual(kept)

    await backend.resumeJob(job.id)
    await vi.runAllTimersAsync()
    expect(seen.at(-1)?.state).toBe('done')
    expect((await backend.samples(job.run_id ?? '')).slice(0, kept.length)).toEqual(kept)
  })

  test('waits while another is running', async () => {
    const backend = fake('')
    await backend.subscribe(() => undefined)
    const models = await twoModels(backend)
    await backend.startRun({ models, ...quick })
    const second = await backend.startRun({ models, ...quick })
    expect(second.state).toBe('queued')
    await vi.runAllTimersAsync()
    expect((await backend.jobs()).find((job) => job.id === second.id)?.state).toBe('done')
  })
})

test('nothing runs on while nothing is running', async () => {
  const backend = fake('')
  await backend.subscribe(() => undefined)
  await backend.models()
  expect(vi.getTimerCount()).toBe(0)
})

test.each(['full', 'tradeoff', 'failedcell'])('says the same every time: %s', async (scenario) => {
  const [one, two] = [fake(`scenario=${scenario}`), fake(`scenario=${scenario}`)]
  expect(await one.result(fixedRunId)).toEqual(await two.result(fixedRunId))
})

test.each([
  ['full', 'better', 'moderate'],
  ['tradeoff', 'trade_off', 'moderate'],
  ['nodifference', 'no_real_difference', 'moderate'],
  ['failedcell', 'better', 'low'],
  ['withheld', 'withheld', 'low'],
  ['single', 'single', 'moderate'],
])('scenario %s comes out as %s with %s certainty', async (scenario, outcome, certainty) => {
  const { verdict } = await fake(`scenario=${scenario}`).result(fixedRunId)
  expect([verdict.outcome, verdict.certainty]).toEqual([outcome, certainty])
})

test.each(['already-running', 'database-newer', 'read-only'])('%s refuses every command', async (scenario) => {
  const backend = fake(`scenario=${scenario}`)
  const code = scenario === 'read-only' ? 'DATA_FOLDER_READ_ONLY' : scenario.toUpperCase().replace('-', '_')
  for (const command of [backend.appInfo(), backend.models(), backend.jobs(), backend.subscribe(() => undefined)])
    await expect(command).rejects.toMatchObject({ code })
})

test.each(scenarios.filter((s) => s !== 'loading' && s !== 'error' && !/already|newer|read/.test(s)))(
  'jobs and runs of scenario %s agree',
  async (scenario) => {
    const backend = fake(`scenario=${scenario}`)
    const [all, runs] = [await backend.jobs(), await backend.runs()]
    const jobs = all.filter((job) => job.kind === 'run')
    expect(runs.map((run) => run.job_id)).toEqual(jobs.map((job) => job.id))
    if (scenario !== 'empty') expect(jobs[0]?.id).toBe(fixedJobId)
  },
)

test('a decode speed stands beside the limit of memory', async () => {
  const limits = async (scenario: string) =>
    (await fake(`scenario=${scenario}`).result(fixedRunId)).tasks.flatMap((task) =>
      task.cells.flatMap(({ limit }) => (limit ? [limit.kind === 'known' ? limit.standing : limit.reason] : [])),
    )
  expect(new Set(await limits('full'))).toEqual(new Set(['within']))
  expect(new Set(await limits('withheld'))).toEqual(new Set(['exceeded']))
  expect(new Set(await limits('nodifference'))).toEqual(new Set(['bandwidth_not_measured']))
})

test('bandwidth measured again moves every limit, and only while nothing else is measured', async () => {
  const backend = fake('scenario=partial')
  expect((await backend.claims())[0]?.here).toBeNull()
  const measured = await backend.measureBandwidth()
  const here = (await backend.claims())[0]?.here
  expect(here?.bandwidth).toEqual(measured)
  for (const { limit_tps, bytes_per_token } of here?.limits ?? [])
    expect(limit_tps).toBeCloseTo(measured.bytes_per_s / bytes_per_token)
  await expect(fake('scenario=running').measureBandwidth()).rejects.toMatchObject({ code: 'INVALID_INPUT' })
})
