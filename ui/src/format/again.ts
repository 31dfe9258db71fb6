import type { RunRequest, RunSpec, Task } from '../backend/types'

const promptOf = ({ work }: Task): string | null => {
  if (work.kind !== 'generate' || !('messages' in work.prompt)) return null
  return work.prompt.messages[0]?.content ?? null
}

/** What to ask for, so that a run is measured once more in the same way. */
export function requestAgain({ entries, suite }: RunSpec): RunRequest {
  const [first] = suite.tasks
  const sustained = suite.tasks.map(({ work }) => (work.kind === 'sustained' ? work.seconds / 60 : null))
  const own = first?.category === 'custom' && first.work.kind === 'generate' ? first.work.limits : null
  return {
    models: [...new Set(entries.map(({ model }) => model.path))],
    suite: own ? 'custom' : suite.id,
    custom: own && {
      prompts: suite.tasks.map(promptOf).filter((prompt) => prompt !== null),
      max_tokens: own.max_tokens,
      repetitions: suite.repetitions,
      fixed_length: own.ignore_eos,
    },
    minutes: sustained.find((minutes) => minutes !== null) ?? null,
    threads: suite.sweep?.axis === 'threads' ? null : (entries[0]?.settings.n_threads ?? null),
  }
}
