import { baseLocale, locales, overwriteGetLocale, type Locale } from './paraglide/runtime.js'

/** Languages by their own names. */
export const languageNames: Record<Locale, string> = { en: 'English', 'zh-CN': '简体中文', es: 'Español' }

const storageKey = 'pocketbench.language'

/** Best match for a list of wishes such as `['es-MX', 'en']`. */
export function matchLocale(wishes: readonly string[]): Locale {
  for (const wish of wishes) {
    const language = wish.toLowerCase().split('-')[0]
    const match = locales.find((locale) => locale.toLowerCase().split('-')[0] === language)
    if (match) return match
  }
  return baseLocale
}

let current: Locale = baseLocale

/** The language in use. */
export const locale = (): Locale => current

/** Uses a language from now on. What is already on the screen stays as it is. */
export function useLocale(next: Locale): void {
  current = next
  overwriteGetLocale(() => next)
}

/** Picks the language at start: asked for in the address, chosen earlier, or the system's. */
export function initLocale(): void {
  const asked = new URLSearchParams(window.location.search).get('lang')
  const chosen = localStorage.getItem(storageKey)
  useLocale(matchLocale([asked, chosen, ...navigator.languages].filter((wish) => wish !== null)))
  document.documentElement.lang = current
}

/** Keeps a choice and starts anew with it. */
export function chooseLocale(next: Locale): void {
  localStorage.setItem(storageKey, next)
  const address = new URL(window.location.href)
  address.searchParams.delete('lang')
  if (address.href === window.location.href) window.location.reload()
  else window.location.replace(address)
}
