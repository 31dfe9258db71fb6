import { expect, test } from 'vitest'
import { matchLocale } from './i18n'
import { parseRoute, resultHref, runHref } from './routes'

test.each([
  ['', { screen: 'bench' }],
  ['#/', { screen: 'bench' }],
  ['#/device', { screen: 'device' }],
  ['#/device/more', { screen: 'unknown' }],
  ['#/run/abc', { screen: 'run', jobId: 'abc' }],
  ['#/results', { screen: 'results' }],
  ['#/results/abc', { screen: 'result', runId: 'abc' }],
  ['#/results/abc/more', { screen: 'unknown' }],
  ['#/claims', { screen: 'claims' }],
  ['#/claims/more', { screen: 'unknown' }],
  ['#/settings/providers', { screen: 'providers' }],
  ['#/settings/chat', { screen: 'chat_settings' }],
  ['#/chat', { screen: 'chat', id: null }],
  ['#/chat/abc', { screen: 'chat', id: 'abc' }],
  ['#/chat/duel', { screen: 'duel' }],
  ['#/chat/abc/more', { screen: 'unknown' }],
  ['#/settings', { screen: 'unknown' }],
  ['#/settings/providers/more', { screen: 'unknown' }],
  ['#/run', { screen: 'unknown' }],
  ['#/nonsense', { screen: 'unknown' }],
  ['#/results/%E0%A4%A', { screen: 'result', runId: '%E0%A4%A' }],
])('%s', (hash, route) => {
  expect(parseRoute(hash)).toEqual(route)
})

test('addresses lead back to where they came from', () => {
  expect(parseRoute(runHref('a/b'))).toEqual({ screen: 'run', jobId: 'a/b' })
  expect(parseRoute(resultHref('a b'))).toEqual({ screen: 'result', runId: 'a b' })
})

test.each([
  [['zh-TW', 'en'], 'zh-CN'],
  [['es-MX'], 'es'],
  [['fr', 'es'], 'es'],
  [['fr'], 'en'],
  [[], 'en'],
])('%j is served in %s', (wishes, locale) => {
  expect(matchLocale(wishes)).toBe(locale)
})
