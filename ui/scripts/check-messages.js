// Paraglide falls back to English where a translation is missing, so missing ones are looked for here: every language
// must have every key, with the same variables, plural forms that cover everything, and no key may be unused.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = new URL('..', import.meta.url).pathname
const settings = JSON.parse(readFileSync(join(root, 'project.inlang/settings.json'), 'utf8'))
const problems = []

const read = (locale) => {
  const messages = JSON.parse(readFileSync(join(root, 'messages', `${locale}.json`), 'utf8'))
  delete messages.$schema
  return messages
}

/** The texts of a message: one, or one a plural form. */
const textsOf = (message) =>
  typeof message === 'string' ? [message] : message.flatMap((form) => Object.values(form.match))

const variablesOf = (message) =>
  [...new Set(textsOf(message).flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1])))].sort()

const base = read(settings.baseLocale)
for (const locale of settings.locales) {
  const messages = read(locale)
  const report = (key, problem) => problems.push(`${locale}: ${key}: ${problem}`)
  for (const key of Object.keys(base)) if (!(key in messages)) report(key, 'is missing')
  for (const [key, message] of Object.entries(messages)) {
    if (!(key in base)) {
      report(key, `is not in ${settings.baseLocale}`)
      continue
    }
    if (textsOf(message).some((text) => text.trim() === '')) report(key, 'is empty')
    if (typeof message !== 'string' && !message.every((form) => Object.keys(form.match).some((m) => m.endsWith('=*'))))
      report(key, 'has no form for all other numbers')
    const [wanted, found] = [variablesOf(base[key]), variablesOf(message)].map((names) => names.join(', '))
    if (wanted !== found) report(key, `uses {${found}} where ${settings.baseLocale} uses {${wanted}}`)
  }
}

// Keys are used as `m.key`; a few families are looked up by a prefix, as in m[`metric_${metric}`].
const sources = readdirSync(join(root, 'src'), { recursive: true })
  .filter((file) => /\.(ts|svelte)$/.test(file) && !file.startsWith('paraglide'))
  .map((file) => readFileSync(join(root, 'src', file), 'utf8'))
  .join('\n')
const used = new Set([...sources.matchAll(/\bm\.(\w+)/g)].map((match) => match[1]))
const prefixes = [...sources.matchAll(/\bm\[`(\w+)\$\{/g)].map((match) => match[1])
for (const key of Object.keys(base))
  if (!used.has(key) && !prefixes.some((prefix) => key.startsWith(prefix))) problems.push(`${key}: is used nowhere`)

if (problems.length > 0) {
  console.error(problems.join('\n'))
  process.exit(1)
}
console.log(`${Object.keys(base).length} messages in ${settings.locales.length} languages, complete`)
