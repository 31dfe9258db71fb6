import type { Certainty, Dimension, Doubt, RunEntry, RunResult, Sweep, Verdict } from '../backend/types'
import { locale } from '../i18n'
import { m } from '../paraglide/messages.js'
import { metricLabel } from './labels'
import { formatBytes, formatCount, formatNumber, supportedDecimals } from './number'

/** A dimension's advantage seen from one slot: how many times better that slot is, with its interval. */
export function advantageOf(dimension: Dimension, slot: number): { value: number; low: number; high: number } {
  const { advantage, interval } = dimension
  return slot === 0
    ? { value: advantage, low: interval.low, high: interval.high }
    : { value: 1 / advantage, low: 1 / interval.high, high: 1 / interval.low }
}

function percent(value: number, low: number, high: number): string {
  const decimals = Math.min(0, supportedDecimals(value * 100, { low: low * 100, high: high * 100 }))
  const step = 10 ** -decimals
  // Rounding to tens must not print a real difference as nothing.
  const rounded = Math.round((value * 100) / step) * step || Math.round(value * 100)
  return new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: 0 }).format(rounded / 100)
}

/** How many times, with the digits that the interval supports. */
export function times(value: number, low: number, high: number): string {
  return formatNumber(value, Math.min(2, Math.max(0, supportedDecimals(value, { low, high }))))
}

function phrase(dimension: Dimension, slot: number): string {
  const { value, low, high } = advantageOf(dimension, slot)
  // Of times and sizes people say how much less, not how many times.
  const less = percent(1 - 1 / value, 1 - 1 / low, 1 - 1 / high)
  switch (dimension.quality) {
    case 'writing_speed':
      return value >= 2
        ? m.phrase_speed_times({ times: times(value, low, high) })
        : m.phrase_speed_percent({ percent: percent(value - 1, low - 1, high - 1) })
    case 'time_to_first_token':
      return m.phrase_ttft({ percent: less })
    case 'memory':
      return m.phrase_memory({ percent: less })
  }
}

function phrases(verdict: Verdict, slot: number): string {
  const [a, b, c] = verdict.dimensions.filter((d) => d.winner === slot).map((d) => phrase(d, slot))
  if (a === undefined) return ''
  if (b === undefined) return a
  return c === undefined ? m.phrases_two({ a, b }) : m.phrases_three({ a, b, c })
}

/** The setting of a sweep's entry in the person's language. */
function variantOf(entry: RunEntry, sweep: Sweep): string | null {
  const { settings } = entry
  switch (sweep.axis) {
    case 'threads':
      return m.variant_threads({ count: settings.n_threads })
    case 'context':
      return m.variant_context({ count: formatCount(settings.n_ctx) })
    case 'micro_batch':
      return m.variant_micro_batch({ count: formatCount(settings.n_ubatch) })
    case 'kv_type':
      return m.variant_kv({ type: settings.kv_type_k })
    case 'free_memory':
      return m.variant_free({ size: formatBytes(entry.leave_free_bytes ?? 0) })
    default:
      return null
  }
}

/** What tells the entries of a run apart: the settings of a sweep, or the models' labels. */
export function variantsOf({ run, entries }: RunResult): string[] {
  const { sweep } = run.spec.suite
  return entries.map(({ slot, label }) => {
    const entry = run.spec.entries[slot]
    if (!sweep || !entry || entries.length <= 2) return label
    return variantOf(entry, sweep) ?? entry.variant ?? label
  })
}

/** The figure to which the setting matters most. */
function sweepSentence(verdict: Verdict, names: readonly string[]): string {
  const real = verdict.sweep.filter((f) => f.best !== f.worst && !f.even.includes(f.worst))
  const [first, ...others] = real
  if (first === undefined) return m.verdict_sweep_none({ count: names.length })
  const most = others.reduce((a, b) => (b.factor > a.factor ? b : a), first)
  const best = [most.best, ...most.even].sort((a, b) => a - b).map((slot) => names[slot] ?? '')
  return m.verdict_sweep({
    best: new Intl.ListFormat(locale(), { type: 'disjunction' }).format(best),
    figure: metricLabel(most.metric),
    times: times(most.factor, most.interval.low, most.interval.high),
    worst: names[most.worst] ?? '',
  })
}

/** The verdict in one sentence of the person's language. `names` are the models' labels by slot. */
export function verdictSentence(verdict: Verdict, names: readonly string[]): string {
  const name = (slot: number) => names[slot] ?? ''
  switch (verdict.outcome) {
    case 'better': {
      const winner = verdict.winner ?? 0
      const list = phrases(verdict, winner)
      return list ? m.verdict_better({ model: name(winner), list }) : m.verdict_better_plain({ model: name(winner) })
    }
    case 'trade_off':
      return m.verdict_trade_off({ a: name(0), a_list: phrases(verdict, 0), b: name(1), b_list: phrases(verdict, 1) })
    case 'no_real_difference':
      return m.verdict_no_difference({ a: name(0), b: name(1) })
    case 'withheld':
      return m.verdict_withheld()
    case 'single':
      return m.verdict_single({ model: name(0) })
    case 'sweep':
      return sweepSentence(verdict, names)
  }
}

/** Certainty in one word. */
export function certaintyLabel(certainty: Certainty): string {
  return { low: m.certainty_low, moderate: m.certainty_moderate, high: m.certainty_high }[certainty]()
}

/** What that certainty means. */
export function certaintyText(certainty: Certainty): string {
  return { low: m.certainty_low_text, moderate: m.certainty_moderate_text, high: m.certainty_high_text }[certainty]()
}

/** A doubt in plain words. */
export function doubtText(doubt: Doubt): string {
  switch (doubt.kind) {
    case 'few_repetitions':
      return m.doubt_few({ count: doubt.count })
    case 'noisy_cells':
      return m.doubt_noisy(doubt)
    case 'busy_machine':
      return m.doubt_busy(doubt)
    case 'left_out':
      return m.doubt_left_out(doubt)
    case 'failed_cells':
      return m.doubt_failed(doubt)
    case 'not_measured':
      return m.doubt_not_measured(doubt)
  }
}
