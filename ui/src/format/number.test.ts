import { beforeEach, describe, expect, test } from 'vitest'
import type { Summary } from '../backend/types'
import { useLocale } from '../i18n'
import {
  formatBytes,
  formatDuration,
  formatShare,
  scaleFor,
  showChange,
  showSummary,
  showValue,
  supportedDecimals,
} from './number'

/** No-break spaces become plain ones, so that what is expected can be read. */
const plain = (text: string | null) => text?.replaceAll(/[\u00a0\u202f]/g, ' ')

function summary(median: number, low: number | null, high: number | null): Summary {
  return {
    n: 3,
    median,
    mean: median,
    sd: null,
    min: median,
    max: median,
    interval: low === null || high === null ? null : { low, high },
    p90: null,
    p95: null,
    p99: null,
    cv: null,
    outliers: [],
  }
}

beforeEach(() => useLocale('en'))

describe('digits follow the interval', () => {
  test.each([
    [42.337, 41.9, 42.8, 1],
    [42.337, 42.28, 42.39, 2],
    [42.337, 38, 46, 0],
    [1234.5, 1190, 1280, -1],
    [0.01234, 0.0121, 0.0126, 4],
    // As wide as the value itself: still one digit.
    [12, 0, 24, -1],
  ])('%d in %d to %d has %d decimals', (value, low, high, decimals) => {
    expect(supportedDecimals(value, { low, high })).toBe(decimals)
  })

  test('an interval narrower than anyone measures gives four significant digits', () => {
    expect(supportedDecimals(42.337, { low: 42.337, high: 42.337 })).toBe(2)
    expect(supportedDecimals(42.337, { low: 42.33699, high: 42.33701 })).toBe(2)
  })

  test('without an interval there are two significant digits', () => {
    expect(supportedDecimals(42.337, null)).toBe(0)
    expect(supportedDecimals(842.337, null)).toBe(-1)
    expect(supportedDecimals(0.0337, null)).toBe(3)
  })

  test('ends are as precise as the median', () => {
    const shown = showSummary(summary(42.337, 41.92, 42.81), { divisor: 1, unit: 'tok/s' })
    expect(plain(shown.text)).toBe('42.3 tok/s')
    expect([shown.low, shown.high]).toEqual(['41.9', '42.8'])
  })

  test('hundreds are rounded, not cut', () => {
    const shown = showSummary(summary(1238, 1190, 1280), { divisor: 1, unit: 'ms' })
    expect(plain(shown.text)).toBe('1,240 ms')
    expect([shown.low, shown.high]).toEqual(['1,190', '1,280'])
  })

  test('one value has no interval', () => {
    const shown = showSummary(summary(42.337, null, null), { divisor: 1, unit: 'tok/s' })
    expect(plain(shown.text)).toBe('42 tok/s')
    expect(shown.low).toBeNull()
  })
})

describe('changes', () => {
  test.each([
    [1.4237, 1.35, 1.49, '+42%', '+35%', '+49%'],
    [0.58, 0.4, 0.75, '-40%', '-60%', '-20%'],
    [1.0042, 1.002, 1.0061, '+0.4%', '+0.2%', '+0.6%'],
    [1, 0.98, 1.03, '0%', '-2%', '+3%'],
  ])('%d', (value, low, high, text, lowText, highText) => {
    const shown = showChange({ value, interval: { low, high } })
    expect(plain(shown.text)).toBe(text)
    expect(plain(shown.low)).toBe(lowText)
    expect(plain(shown.high)).toBe(highText)
  })
})

describe('units', () => {
  test('sizes are decimal with three digits', () => {
    expect(plain(formatBytes(0))).toBe('0 B')
    expect(plain(formatBytes(98_400_000))).toBe('98.4 MB')
    expect(plain(formatBytes(999_900))).toBe('1.00 MB')
    expect(plain(formatBytes(25_276_510_208))).toBe('25.3 GB')
  })

  test('a long time is shown in seconds, on both sides of a row', () => {
    expect(scaleFor('e2e_ms', [900, 9_000])).toEqual({ divisor: 1, unit: 'ms' })
    expect(scaleFor('e2e_ms', [900, 12_000])).toEqual({ divisor: 1000, unit: 's' })
    expect(scaleFor('peak_rss_bytes', [260e6, 2e9])).toEqual({ divisor: 1e9, unit: 'GB' })
  })

  test('single values have three digits', () => {
    expect(plain(showValue('decode_tps', 71.2345))).toBe('71.2 tok/s')
    expect(plain(showValue('ttft_ms', 1234.5))).toBe('1,235 ms')
    expect(plain(showValue('peak_rss_bytes', 260_120_000))).toBe('260 MB')
  })

  test.each([
    [0.2, '1 s'],
    [42, '40 s'],
    [88, '90 s'],
    [170, '3 min'],
    [6300, '1.8 h'],
  ])('%d s is about %s', (seconds, text) => {
    expect(plain(formatDuration(seconds))).toBe(text)
  })
})

test('numbers follow the language', () => {
  useLocale('es')
  expect(plain(formatBytes(98_400_000))).toBe('98,4 MB')
  expect(plain(formatShare(0.042, 1))).toBe('4,2 %')
  useLocale('zh-CN')
  expect(plain(formatBytes(98_400_000))).toBe('98.4 MB')
})
