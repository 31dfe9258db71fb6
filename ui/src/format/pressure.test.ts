import { beforeEach, describe, expect, test } from 'vitest'
import type { ColdStart, ErrorCode, PressureStep } from '../backend/types'
import { useLocale } from '../i18n'
import { locales } from '../paraglide/runtime.js'
import { coldStartAdvice, coldStartText } from './coldStart'
import { pressureText } from './pressure'

const plain = (text: string) => text.replaceAll(/[\u00a0\u202f]/g, ' ')
const labels = ['Small · Q4_1', 'Small · Q4_1 · read']

const died = (code: ErrorCode): PressureStep => ({
  ...slower,
  outcome: { kind: 'died', failure: { code, message: '' } },
})
const slower: PressureStep = {
  slot: 1,
  leave_free_bytes: 1_000_000_000,
  outcome: { kind: 'slower' },
  speed: { value: 0.412, interval: { low: 0.39, high: 0.44 } },
  major_faults: 1234,
  swap_bytes: 0,
}

const missed: ColdStart = {
  slot: 0,
  limit_ms: 3000,
  first_token_ms: 5000,
  met: false,
  budget: { load_bytes_per_s: 20e6, rest_ms: 400, largest_bytes: 52_000_000 },
  advice: [
    { kind: 'other_settings', slot: 1, first_token_ms: 2810 },
    { kind: 'smaller_file', quantization: 'Q3_K_M', file_bytes: 50_000_000, first_token_ms: 2900 },
    { kind: 'preload', first_token_ms: 710 },
  ],
}

beforeEach(() => useLocale('en'))

describe('memory pressure in English', () => {
  test('it slows, with its interval and the pages that it waited for', () => {
    expect(plain(pressureText(slower))).toBe(
      'Slows to 41% (95 % interval 39% to 44%). It waited 1,234 times a repetition for pages that had to be read from storage.',
    )
  })
  test('full speed says nothing of pages, and swapping is always told', () => {
    const full: PressureStep = { ...slower, outcome: { kind: 'full_speed' }, swap_bytes: 5_000_000 }
    expect(plain(pressureText(full))).toBe(
      'Runs at full speed: 41% (95 % interval 39% to 44%). 5.00 MB of it was swapped out.',
    )
  })
  test('a death is told from a crash, and both from what could not be measured', () => {
    const texts = [
      pressureText(died('OUT_OF_MEMORY')),
      pressureText(died('WORKER_CRASHED')),
      ...(['UNSUPPORTED_REQUEST', 'NOT_ENOUGH_MEMORY', 'MEASUREMENT_INTERRUPTED'] as const).map((code) =>
        pressureText({ ...slower, speed: null, outcome: { kind: 'not_measured', failure: { code, message: '' } } }),
      ),
    ]
    expect(new Set(texts).size).toBe(5)
  })
})

describe('a cold start in English', () => {
  test('what would meet the limit, with its arithmetic', () => {
    expect(plain(coldStartText(missed, labels))).toContain('over the 3 s limit')
    const [settings, smaller, preload] = coldStartAdvice(missed, labels).map(plain)
    expect(settings).toContain('Small · Q4_1 · read: 2,810 ms')
    expect(smaller).toContain('400 ms + 50.0 MB ÷ 20.0 MB/s')
    expect(preload).toContain('710 ms')
  })
  test('nothing is advised where nothing is missed or known', () => {
    expect(coldStartAdvice({ ...missed, met: true }, labels)).toEqual([])
    expect(coldStartAdvice({ ...missed, met: null, first_token_ms: null }, labels)).toEqual([])
    const [largest] = coldStartAdvice({ ...missed, advice: [] }, labels).map(plain)
    expect(largest).toContain('up to 52.0 MB')
    const none = { load_bytes_per_s: 20e6, rest_ms: 3400, largest_bytes: 0 }
    expect(coldStartAdvice({ ...missed, advice: [], budget: none }, labels).map(plain)[0]).toContain('No smaller file')
  })
})

test.each(locales)('every sentence is there in %s', (locale) => {
  useLocale(locale)
  const texts = [pressureText(slower), pressureText(died('OUT_OF_MEMORY')), coldStartText(missed, labels)]
  for (const text of [...texts, ...coldStartAdvice(missed, labels)]) expect(text).not.toMatch(/undefined|NaN|\{/)
})
