import type { ColdStart, StartAdvice } from '../backend/types'
import { m } from '../paraglide/messages.js'
import { formatBytes, formatDuration, showValue } from './number'

const seconds = (ms: number) => showValue('first_token_ms', ms)

/** A cold start against its limit, in a sentence. `labels` name the entries by slot. */
export function coldStartText(start: ColdStart, labels: readonly string[]): string {
  const model = labels[start.slot] ?? ''
  if (start.first_token_ms === null) return m.load_unknown({ model })
  const facts = { model, time: seconds(start.first_token_ms), limit: formatDuration(start.limit_ms / 1000) }
  return start.met ? m.load_met(facts) : m.load_missed(facts)
}

function advice(found: StartAdvice, start: ColdStart, labels: readonly string[]): string {
  const time = seconds(found.first_token_ms)
  switch (found.kind) {
    case 'other_settings':
      return m.start_other_settings({ settings: labels[found.slot] ?? '', time })
    case 'preload':
      return m.start_preload({ time })
    case 'smaller_file': {
      const size = formatBytes(found.file_bytes)
      const rate = formatBytes(start.budget?.load_bytes_per_s ?? 0)
      return m.start_smaller_file({
        quantization: found.quantization,
        size,
        time,
        arithmetic: `${seconds(start.budget?.rest_ms ?? 0)} + ${size} ÷ ${rate}/s`,
      })
    }
  }
}

/** What would meet a limit that was missed, or why nothing known does. */
export function coldStartAdvice(start: ColdStart, labels: readonly string[]): string[] {
  if (start.met !== false) return []
  if (start.advice.length > 0) return start.advice.map((found) => advice(found, start, labels))
  if (!start.budget) return []
  if (start.budget.largest_bytes === 0) return [m.start_no_file({ time: seconds(start.budget.rest_ms) })]
  const rate = formatBytes(start.budget.load_bytes_per_s)
  return [m.start_largest_file({ size: formatBytes(start.budget.largest_bytes), rate })]
}
