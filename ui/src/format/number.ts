import type { Interval, Metric, Ratio, Summary } from '../backend/types'
import { locale } from '../i18n'
import { m } from '../paraglide/messages.js'

const noBreak = '\u00a0'
const formatters = new Map<string, Intl.NumberFormat>()

function numberFormat(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = locale() + JSON.stringify(options)
  let format = formatters.get(key)
  if (!format) formatters.set(key, (format = new Intl.NumberFormat(locale(), options)))
  return format
}

/**
 * How many decimals of `value` its 95 % interval supports: the last digit shown stands at the leading digit of the
 * interval's half-width, so that it is the first one in doubt. Negative means tens, hundreds … . Never more than four
 * significant digits; two where there is no interval at all.
 */
export function supportedDecimals(value: number, interval: Interval | null): number {
  const magnitude = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)))
  if (interval === null) return 1 - magnitude
  const most = 3 - magnitude
  const half = (interval.high - interval.low) / 2
  if (!(half > 0)) return most
  // Adding 0 turns -0 into 0.
  return Math.min(most, -Math.floor(Math.log10(half))) + 0
}

/** A number with this many decimals; negative rounds to tens, hundreds … . */
export function formatNumber(value: number, decimals: number, options: Intl.NumberFormatOptions = {}): string {
  const places = Math.min(Math.max(decimals, 0), 6)
  const step = 10 ** Math.max(-decimals, 0)
  // Adding 0 turns -0 into 0.
  const rounded = Math.round(value / step) * step + 0
  return numberFormat({ minimumFractionDigits: places, maximumFractionDigits: places, ...options }).format(
    decimals < 0 ? rounded : value,
  )
}

/** A number with so many significant digits. */
export function formatSignificant(value: number, digits: number): string {
  const magnitude = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)))
  return formatNumber(value, digits - 1 - magnitude)
}

/** A whole number. */
export const formatCount = (value: number): string => formatNumber(value, 0)

/** What a person typed as a number of something, as the core can take it; whether it makes sense is judged there. */
export const whole = (typed: number): number => Math.min(Math.max(Math.round(typed), 0), 2 ** 32 - 1)

/** A share, 0–1, in percent. */
export function formatShare(share: number, decimals = 0): string {
  return numberFormat({ style: 'percent', minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(
    share,
  )
}

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB'] as const

function byteScale(bytes: number): number {
  return bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), byteUnits.length - 1)
}

/** A size in decimal units (1 GB = 10⁹ bytes) with three significant digits. */
export function formatBytes(bytes: number): string {
  let scale = byteScale(bytes)
  // 999,900 B would print as "1,000 kB".
  if (Math.round(bytes / 1000 ** scale) >= 1000 && scale < byteUnits.length - 1) scale += 1
  const value = bytes / 1000 ** scale
  const digits = scale === 0 ? {} : { minimumSignificantDigits: 3, maximumSignificantDigits: 3 }
  return numberFormat(digits).format(value) + noBreak + (byteUnits[scale] ?? 'B')
}

/** A duration for people in SI symbols, two figures at most: `45 s`, `3 min`, `1.5 h`. */
export function formatDuration(seconds: number): string {
  const show = (value: number, unit: string, decimals = 0) => formatNumber(value, decimals) + noBreak + unit
  if (seconds < 10) return show(Math.max(1, Math.round(seconds)), 's')
  if (seconds < 90) return show(Math.round(seconds / 5) * 5, 's')
  if (seconds < 90 * 60) return show(Math.round(seconds / 60), 'min')
  return show(seconds / 3600, 'h', 1)
}

/** Minutes and seconds that are running: `2:05`. */
export function formatClock(seconds: number): string {
  const all = Math.floor(seconds)
  return `${Math.floor(all / 60)}:${String(all % 60).padStart(2, '0')}`
}

/** A temperature, as exact as sensors are. */
export const formatCelsius = (celsius: number, decimals = 0): string => formatNumber(celsius, decimals) + noBreak + '°C'

/** Date and time of day. */
export function formatDate(iso: string): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso))
}

/** Whether more of it is better. */
export function moreIsBetter(metric: Metric): boolean {
  return metric.endsWith('_tps')
}

/** How a figure's values are printed: `printed = value ÷ divisor`, then the unit. */
export interface Scale {
  divisor: number
  unit: string
}

/** The unit that suits the largest of these values of a figure. */
export function scaleFor(metric: Metric, values: number[]): Scale {
  const largest = Math.max(0, ...values)
  if (metric.endsWith('_tps')) return { divisor: 1, unit: m.unit_tps() }
  if (metric.endsWith('_bytes')) {
    const scale = byteScale(largest)
    return { divisor: 1000 ** scale, unit: byteUnits[scale] ?? 'B' }
  }
  if (metric === 'mj_per_token') return { divisor: 1, unit: m.unit_mj() }
  return largest >= 10_000 ? { divisor: 1000, unit: 's' } : { divisor: 1, unit: 'ms' }
}

/** A median ready to be shown. */
export interface ShownFigure {
  /** The median with its unit. */
  text: string
  /** Ends of its interval without unit, as precise as the median. */
  low: string | null
  high: string | null
}

/** A median with no more digits than its interval supports. */
export function showSummary(summary: Summary, scale: Scale): ShownFigure {
  const value = summary.median / scale.divisor
  const interval = summary.interval && {
    low: summary.interval.low / scale.divisor,
    high: summary.interval.high / scale.divisor,
  }
  const decimals = supportedDecimals(value, interval)
  return {
    text: formatNumber(value, decimals) + noBreak + scale.unit,
    low: interval && formatNumber(interval.low, decimals),
    high: interval && formatNumber(interval.high, decimals),
  }
}

/** One value of a figure, as measured: three significant digits. */
export function showValue(metric: Metric, value: number): string {
  if (metric.endsWith('_bytes')) return formatBytes(value)
  const scale = scaleFor(metric, [value])
  const shown = value / scale.divisor
  return (
    formatNumber(shown, shown === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(shown))))) +
    noBreak +
    scale.unit
  )
}

/** A ratio as a change in percent, such as `+42 %`, with no more digits than its interval supports. */
export function showChange(ratio: Ratio): { text: string; low: string; high: string } {
  const percent = (value: number) => (value - 1) * 100
  const interval = { low: percent(ratio.interval.low), high: percent(ratio.interval.high) }
  const decimals = Math.min(1, supportedDecimals(percent(ratio.value), interval))
  const places = Math.max(decimals, 0)
  const step = 10 ** Math.max(-decimals, 0)
  const show = (value: number) =>
    numberFormat({
      style: 'percent',
      signDisplay: 'exceptZero',
      minimumFractionDigits: places,
      maximumFractionDigits: places,
    }).format((decimals < 0 ? Math.round(percent(value) / step) * step : percent(value)) / 100)
  return { text: show(ratio.value), low: show(ratio.interval.low), high: show(ratio.interval.high) }
}
