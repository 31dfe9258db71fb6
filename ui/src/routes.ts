// Hash routes, so that a deep link works from a file, a custom scheme or a web server alike.

export type Route =
  | { screen: 'bench' }
  | { screen: 'device' }
  | { screen: 'run'; jobId: string }
  | { screen: 'results' }
  | { screen: 'result'; runId: string }
  | { screen: 'claims' }
  | { screen: 'models' }
  | { screen: 'model'; id: string }
  | { screen: 'providers' }
  | { screen: 'chat'; id: string | null }
  | { screen: 'duel' }
  | { screen: 'chat_settings' }
  | { screen: 'unknown' }

export function parseRoute(hash: string): Route {
  const [path = ''] = hash.replace(/^#\/?/, '').split('?')
  const [first = '', second, ...rest] = path.split('/').filter(Boolean).map(decode)
  if (first === '') return { screen: 'bench' }
  if (second === undefined && first === 'device') return { screen: 'device' }
  if (rest.length === 0 && first === 'run' && second) return { screen: 'run', jobId: second }
  if (rest.length === 0 && first === 'results')
    return second ? { screen: 'result', runId: second } : { screen: 'results' }
  if (second === undefined && first === 'claims') return { screen: 'claims' }
  if (rest.length === 0 && first === 'models') return second ? { screen: 'model', id: second } : { screen: 'models' }
  if (rest.length === 0 && first === 'settings' && second === 'providers') return { screen: 'providers' }
  if (rest.length === 0 && first === 'settings' && second === 'chat') return { screen: 'chat_settings' }
  if (rest.length === 0 && first === 'chat')
    return second === 'duel' ? { screen: 'duel' } : { screen: 'chat', id: second ?? null }
  return { screen: 'unknown' }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export const benchHref = '#/'
export const deviceHref = '#/device'
export const resultsHref = '#/results'
export const claimsHref = '#/claims'
export const modelsHref = '#/models'
export const chatHref = '#/chat'
/** A conversation that is not begun. */
export const newChatHref = '#/chat/new'
export const duelHref = '#/chat/duel'
export const chatSettingsHref = '#/settings/chat'
export const conversationHref = (id: string): string => `#/chat/${encodeURIComponent(id)}`
export const providersHref = '#/settings/providers'
/** `id`: a catalogue's id, or the path of a file that is here. */
export const modelHref = (id: string): string => `#/models/${encodeURIComponent(id)}`
export const runHref = (jobId: string): string => `#/run/${encodeURIComponent(jobId)}`
export const resultHref = (runId: string): string => `#/results/${encodeURIComponent(runId)}`
