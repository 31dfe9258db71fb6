import type { IconName } from './components/Icon.svelte'
import { m } from './paraglide/messages.js'
import { benchHref, chatHref, modelsHref, resultsHref, type Route } from './router.svelte'

export interface NavEntry {
  href: string
  label: () => string
  icon: IconName
  screens: Route['screen'][]
}

/** What the rail and the bottom bar offer. One line a screen. */
export const nav: NavEntry[] = [
  { href: benchHref, label: m.nav_bench, icon: 'bench', screens: ['bench', 'run', 'device'] },
  { href: modelsHref, label: m.nav_models, icon: 'models', screens: ['models', 'model', 'providers'] },
  { href: chatHref, label: m.nav_chat, icon: 'chat', screens: ['chat', 'duel', 'chat_settings'] },
  { href: resultsHref, label: m.nav_results, icon: 'results', screens: ['results', 'result', 'claims'] },
]
