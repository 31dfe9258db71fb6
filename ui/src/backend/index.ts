import type { Backend } from './backend'

/** The real backend inside the app, the fake one in a plain browser. Only the one in use is loaded. */
export async function chooseBackend(): Promise<Backend> {
  if ('__TAURI_INTERNALS__' in window) return (await import('./tauri')).tauriBackend
  return (await import('./fake')).createFakeBackend(new URLSearchParams(window.location.search))
}
