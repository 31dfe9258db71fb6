import { expect, test } from 'vitest'
import { createFakeBackend } from '../backend/fake'
import type { RunRequest } from '../backend/types'
import { requestAgain } from './again'

const plain = { custom: null, minutes: null, threads: 4 }
const custom = { prompts: ['Why?', 'How?'], max_tokens: 40, repetitions: 2, fixed_length: true }

test.each<[string, Omit<RunRequest, 'models'>, number]>([
  ['quick', { ...plain, suite: 'quick' }, 2],
  ['with its own length', { ...plain, suite: 'sustained', minutes: 20 }, 2],
  ['with its own threads', { ...plain, suite: 'standard', threads: 2 }, 2],
  ['of own prompts', { ...plain, suite: 'custom', custom }, 1],
  ['of one model under several settings', { ...plain, suite: 'threads', threads: null }, 1],
  ['of another axis', { ...plain, suite: 'kv-type' }, 1],
])('a run %s is asked for again as it was', async (_, request, count) => {
  const backend = createFakeBackend(new URLSearchParams())
  const models = (await backend.models())
    .filter((entry) => entry.fit?.class === 'fits')
    .slice(0, count)
    .map((entry) => entry.path)
  const job = await backend.startRun({ ...request, models })
  const { run } = await backend.result(job.run_id ?? '')
  expect(requestAgain(run.spec)).toEqual({ ...request, models })
})
