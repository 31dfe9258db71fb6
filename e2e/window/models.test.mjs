// The real app fetches a real model from a hub within this machine, is killed half-way, goes on, and deletes the model.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startHub } from './hub.mjs'
import { Session } from './session.mjs'

const MINUTE = 60_000
const home = mkdtempSync(join(tmpdir(), 'pocketbench-models-'))
const hub = await startHub({
  'maker/small-GGUF': {
    'small-q4_1.gguf': join(process.env.POCKETBENCH_TEST_MODELS, 'smollm2-135m-instruct-q4_1.gguf'),
  },
})
const environment = { POCKETBENCH_HUB: hub.address }

let app
after(async () => {
  await app?.stop()
  hub.stop()
  rmSync(home, { recursive: true, force: true })
})

const until = async (what, condition, timeout = 2 * MINUTE) => {
  const end = Date.now() + timeout
  while (!(await condition())) {
    assert.ok(Date.now() < end, `waited too long until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const download = async () => (await app.command('jobs')).find((job) => job.kind === 'download')

test('a model is found, fetched through a kill, judged and deleted', { timeout: 10 * MINUTE }, async () => {
  app = await Session.start(home, environment)
  await app.resize('desktop')
  await app.go('#/models')
  await app.see('catalogue-card', MINUTE)
  await app.shot('models-desktop')
  await (await app.see('add-repository-input')).sendKeys('maker/small-GGUF')
  await app.click('add-repository')
  await until('the repository is the only card', async () => (await app.all('catalogue-card')).length === 1, MINUTE)

  hub.slow(4 << 20)
  await app.click('download')
  await until('some of it is here', async () => (await download())?.state === 'running', MINUTE)
  await until('4 MB are here', async () => (await app.command('storage')).partials[0]?.bytes > 4e6, MINUTE)
  await app.shot('models-download-desktop')

  const [main] = app.processes(`${process.env.POCKETBENCH_APP}$`)
  process.kill(main, 'SIGKILL')
  await app.stop()
  app = await Session.start(home, environment)
  await app.resize('phone')
  assert.equal((await download()).state, 'interrupted')
  const [partial] = (await app.command('storage')).partials
  assert.ok(partial.bytes > 4e6, `${partial.bytes} bytes are left`)

  hub.slow(0)
  await app.go('#/models')
  await app.see('partial', MINUTE)
  await app.click('resume')
  await until('it has arrived', async () => (await download()).state === 'done', 2 * MINUTE)
  await until('the library has it', async () => (await app.all('library-row')).length === 1, MINUTE)
  const [entry] = await app.command('models')
  assert.equal(entry.source.repository, 'maker/small-GGUF')
  assert.ok(entry.model.sha256.length === 64 && existsSync(entry.path))
  assert.deepEqual(await app.outside(), [], 'nothing sticks out at the width of a phone')
  await app.shot('models-phone')

  await app.go(`#/models/${encodeURIComponent(entry.path)}`)
  await app.see('fit-table', MINUTE)
  assert.ok((await app.all('fit-cell')).length >= 3)
  assert.deepEqual(await app.outside(), [])
  await app.shot('model-phone')

  await app.go('#/models')
  await app.click('delete-model')
  await app.click('delete-confirm')
  await until('it is gone', async () => (await app.all('library-row')).length === 0, MINUTE)
  assert.deepEqual(readdirSync(join(home, 'models')), [], 'the file and its folder are deleted')
})
