// The limit that memory sets to decode, in words. The numbers come from Rust; nothing is computed here but their form.
import type { DecodeLimit, LimitUnknown, MeasuredBandwidth, TaskResult } from '../backend/types'
import { m } from '../paraglide/messages.js'
import { formatBytes, formatCount, formatDate, formatSignificant } from './number'

const noBreak = '\u00a0'

/** What reads or moves so many bytes a second. */
export const rate = (bytes: number): string => `${formatBytes(bytes)}/s`

/** Tokens a second, as exactly as a limit is known. */
export const tps = (value: number): string => formatSignificant(value, value < 10 ? 2 : 3) + noBreak + m.unit_tps()

/** How a limit comes about. */
export const limitArithmetic = (limit: DecodeLimit): string =>
  m.limit_arithmetic({
    rate: rate(limit.bandwidth.bytes_per_s),
    bytes: formatBytes(limit.bytes_per_token),
    depth: formatCount(limit.depth),
  })

export function limitWhy(reason: LimitUnknown): string {
  return {
    bandwidth_not_measured: m.why_limit_bandwidth,
    reads_not_known: m.why_limit_reads,
    not_on_cpu: m.why_limit_elsewhere,
  }[reason]()
}

/** Why a speed above its limit cannot be, with the arithmetic. */
export const limitExceeded = (model: string, limit: DecodeLimit): string =>
  m.limit_exceeded({
    model,
    speed: tps(limit.tps),
    bytes: formatBytes(limit.bytes_per_token),
    needed: rate(limit.tps * limit.bytes_per_token),
    rate: rate(limit.bandwidth.bytes_per_s),
    date: formatDate(limit.bandwidth.measured_at),
  })

/** What memory gives, and how that is known. */
export const memoryGives = (bandwidth: MeasuredBandwidth): string =>
  m.memory_gives({
    rate: rate(bandwidth.bytes_per_s),
    count: bandwidth.threads,
    date: formatDate(bandwidth.measured_at),
  })

/** The bandwidth that a task's limits stand on, where there is one. */
export function bandwidthOf(task: TaskResult): MeasuredBandwidth | null {
  for (const { limit } of task.cells) if (limit?.kind === 'known') return limit.bandwidth
  return null
}
