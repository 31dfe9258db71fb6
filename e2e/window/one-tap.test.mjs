// The real app in a real WebKit window with two real models: the one-tap path to a verdict, then everything that may end a
// run early. Nothing here looks at a speed.
import assert from 'node:assert/strict'
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Session } from './session.mjs'

const MINUTE = 60_000
const home = mkdtempSync(join(tmpdir(), 'pocketbench-window-'))
mkdirSync(join(home, 'models'))
for (const name of ['smollm2-135m-instruct-q4_1.gguf', 'gemma3-270m-q4_k_m.gguf']) {
  const from = join(process.env.POCKETBENCH_TEST_MODELS, name)
  try {
    linkSync(from, join(home, 'models', name))
  } catch {
    copyFileSync(from, join(home, 'models', name))
  }
}

let app
after(async () => {
  await app?.stop()
  rmSync(home, { recursive: true, force: true })
})

const workers = () => app.processes('pocketbench-worker$')
const job = async (run) => (await app.command('jobs')).find((candidate) => candidate.run_id === run)
const until = async (what, condition, timeout = 2 * MINUTE) => {
  const end = Date.now() + timeout
  while (!(await condition())) {
    assert.ok(Date.now() < end, `waited too long until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

test('one tap leads from the first start to a verdict', { timeout: 25 * MINUTE }, async () => {
  app = await Session.start(home)
  await app.resize('desktop')
  await until('the device is shown', async () => /GB/.test(await app.text('device')))
  // Both models are read and hashed on the first start.
  await until('both models can be picked', async () => await (await app.see('start')).isEnabled())
  const [a, b] = await Promise.all(['model-a', 'model-b'].map(async (id) => (await app.see(id)).getAttribute('value')))
  assert.notEqual(a, b)
  // The estimate comes from the store, a moment after the models.
  await until('an estimate is shown', async () => /\d/.test(await app.text('estimate')))
  assert.equal(await app.has('simulated'), false, 'nothing here is simulated')
  await app.shot('bench-desktop')
  await app.resize('phone')
  await app.shot('bench-phone')
  await app.resize('desktop')

  await app.click('start')
  await app.arrive(/^#\/run\//, MINUTE)
  await app.see('live-task', MINUTE)
  await until('text comes', async () => (await app.text('live-text')).length > 20, 5 * MINUTE)
  // Between two repetitions there is no rate to show.
  await until('a rate is shown', async () => /\d/.test(await app.text('live-tps')))
  await until('the memory is shown', async () => /MB|GB/.test(await app.text('live-memory')))
  assert.ok(workers().length >= 1, 'the engine is another process')
  await app.shot('live-desktop')

  await app.arrive(/^#\/results\//, 20 * MINUTE)
  const verdict = await app.text('verdict', MINUTE)
  assert.ok(verdict.length > 20, verdict)
  assert.ok((await app.text('certainty')).length > 0)
  const run = (await app.url()).split('/').pop()
  const result = await app.command('result', { runId: run })
  assert.notEqual(result.verdict.outcome, 'withheld')
  assert.equal((await app.all('task-row')).length, result.tasks.length)
  for (const chart of ['chart-latency', 'chart-memory']) {
    const shown = await app.see(chart)
    await until(`${chart} is drawn`, async () => (await shown.findElements({ css: 'svg' })).length > 0)
  }
  const samples = await app.command('samples', { runId: run })
  assert.ok(samples.filter((sample) => !sample.warmup).length >= result.tasks.length * 2)
  await app.shot('result-desktop')
  await app.resize('phone')
  await app.shot('result-phone')
  await app.resize('desktop')
  assert.equal(workers().length, 0, 'no worker outlives its run')
})

/** Samples of the two kinds of start, warm-ups included. Each has a worker of its own that ends with it; those behind stay. */
const STARTS = 14

/** Starts a run from the Bench screen and gives its id once a worker that stays has given a sample. */
async function startRun() {
  await app.go('#/')
  await until('a run can be started', async () => await (await app.see('start')).isEnabled())
  await app.click('start')
  await app.arrive(/^#\/run\//, MINUTE)
  const id = (await app.url()).split('/').pop()
  const run = (await app.command('jobs')).find((candidate) => candidate.id === id).run_id
  await until(
    'samples are stored',
    async () => (await app.command('samples', { runId: run })).length > STARTS,
    10 * MINUTE,
  )
  return run
}

test('a killed worker costs its cell, Stop keeps the rest, Resume goes on', { timeout: 25 * MINUTE }, async (t) => {
  const run = await startRun()
  const failed = async () =>
    (await app.command('result', { runId: run })).tasks
      .flatMap((task) => task.cells)
      .filter((c) => c.state === 'failed')
  process.kill(workers().at(-1), 'SIGKILL')
  await until('the cell is recorded as failed', async () => (await failed()).length === 1)
  assert.equal((await failed())[0].failure.code, 'WORKER_CRASHED')
  assert.equal((await job(run)).state, 'running', 'the run goes on')

  const before = Date.now()
  await app.click('stop')
  await until('the run has stopped', async () => (await job(run)).state === 'cancelled', MINUTE)
  t.diagnostic(`stopped after ${Date.now() - before} ms`)
  const kept = (await app.command('samples', { runId: run })).length
  assert.ok(kept >= 14)
  await app.shot('stopped-desktop')

  await app.click('resume')
  await until('it runs again', async () => (await job(run)).state === 'running', MINUTE)
  await until('more is measured', async () => (await app.command('samples', { runId: run })).length > kept, 10 * MINUTE)

  // The whole app is killed, as a phone would.
  const [main] = app.processes(`${process.env.POCKETBENCH_APP}$`)
  const stored = (await app.command('samples', { runId: run })).length
  process.kill(main, 'SIGKILL')
  await until('its workers are gone with it', () => workers().length === 0)
  await app.stop()

  app = await Session.start(home)
  await app.resize('desktop')
  assert.equal((await job(run)).state, 'interrupted')
  assert.ok((await app.command('samples', { runId: run })).length >= stored, 'a sample was lost')
  await app.go('#/results')
  await app.see('run')
  await app.shot('results-interrupted-desktop')
})

test('a second app says what is wrong', { timeout: 2 * MINUTE }, async () => {
  const second = await Session.start(home)
  try {
    await second.resize('desktop')
    assert.match(await second.text('error-page'), /already|running/i)
    await second.shot('second-instance-desktop')
    await app.stop()
    await second.click('retry')
    await second.see('device', MINUTE)
  } finally {
    await second.stop()
  }
})
