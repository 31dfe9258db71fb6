// Published claims in words. The numbers come from Rust; nothing is computed here but their form.
import type {
  CheckedFinding,
  Claim,
  ClaimedMetric,
  ClaimSet,
  Finding,
  LimitCheck,
  Reading,
  Standing,
  TokenRange,
} from '../backend/types'
import { m } from '../paraglide/messages.js'
import { categoryLabel, metricLabel } from './labels'
import { rate } from './limits'
import { formatBytes, formatCount, formatNumber, formatShare, formatSignificant } from './number'

const noBreak = '\u00a0'

/** Tokens a second. */
export const tps = (value: number): string => formatSignificant(value, 2) + noBreak + m.unit_tps()

const seconds = (value: number): string => `${formatSignificant(value, 3)}${noBreak}s`

/** A number with the digits that it was stated with. */
const asStated = (value: number): string => formatNumber(value, String(value).split('.')[1]?.length ?? 0)

export function claimedMetricLabel(metric: ClaimedMetric): string {
  switch (metric) {
    case 'file_bytes':
      return m.part_file()
    case 'kv_bytes':
      return m.part_kv()
    case 'storage_bytes':
      return m.claims_storage()
    case 'baseline_rss_bytes':
      return m.claims_stack()
    default:
      return metricLabel(metric)
  }
}

/** What a claim is about, such as `Code · Whole answer`. */
export function claimTitle({ task, metric }: Pick<Claim, 'task' | 'metric'>): string {
  return [...(task === null ? [] : [categoryLabel(task)]), claimedMetricLabel(metric)].join(' · ')
}

/** A claim's value and unit as published. */
export const claimValue = ({ value, unit }: Claim): string => asStated(value) + noBreak + unit

export function modelName(set: ClaimSet, id: string): string {
  return set.models.find((model) => model.id === id)?.name ?? id
}

/** Place of a model in its set, which is its colour and mark. */
export const slotOf = (set: ClaimSet, id: string): number =>
  Math.max(
    0,
    set.models.findIndex((model) => model.id === id),
  )

export function tokensText({ least, most }: TokenRange): string {
  if (most === null) return m.claims_tokens_open({ least: formatCount(least) })
  return most === least
    ? m.claims_tokens({ count: most })
    : m.claims_tokens_range({ least: formatCount(least), most: formatCount(most) })
}

/** How fast memory would have to be; `null` where the length of the answer is not stated. */
export function neededText({ needed_least: least, needed_most: most, tokens }: LimitCheck): string | null {
  if (least === null) return null
  if (most === null) return m.claims_rate_open({ least: rate(least) })
  return tokens?.most === tokens?.least ? rate(least) : m.claims_rate_range({ least: rate(least), most: rate(most) })
}

/** How many times the limit; `null` where the length of the answer is not stated. */
export function timesText(check: LimitCheck): string | null {
  if (check.times_limit === null) return null
  const least = formatSignificant(check.times_limit, 2)
  if (check.needed_most === null) return `≥ ${least} ×`
  const most = formatSignificant(check.needed_most / check.bandwidth, 2)
  return most === least ? `${least} ×` : `${least}–${most} ×`
}

/** The shortest time that the memory allows for the shortest stated answer. */
export const fastestText = (check: LimitCheck): string | null =>
  check.fastest_seconds === null ? null : seconds(check.fastest_seconds)

/** What a check came to, in two or three words. */
export function standingText({ finding, standing }: CheckedFinding): string {
  if (finding.kind === 'limit') {
    switch (finding.check.verdict) {
      case 'impossible':
        return m.claims_impossible()
      case 'doubtful':
        return m.claims_doubtful()
      case 'length_not_stated':
        return m.claims_length_unknown()
      case 'possible':
        return m.claims_holds()
    }
  }
  if (standing === 'fails' && finding.kind === 'percentile') return m.claims_too_few()
  if (standing === 'fails' && finding.kind === 'total') return m.claims_wrong_total()
  return { fails: m.claims_fails, unclear: m.claims_unclear, holds: m.claims_holds }[standing]()
}

/** The arithmetic of a check against the limit. */
export function limitText(check: LimitCheck): string {
  const common = {
    time: seconds(check.seconds),
    bytes: formatBytes(check.bytes_per_token),
    there: rate(check.bandwidth),
  }
  const needed = neededText(check)
  const fastest = fastestText(check)
  if (check.tokens === null || needed === null || fastest === null)
    return m.claims_arithmetic_unstated({
      ...common,
      tokens: m.claims_tokens({ count: Math.floor(check.tokens_in_time) }),
    })
  const tokens = tokensText(check.tokens)
  return check.verdict === 'doubtful'
    ? m.claims_arithmetic_doubtful({ ...common, tokens, needed })
    : m.claims_arithmetic({ ...common, tokens, needed, limit: tps(check.limit_tps), fastest })
}

/** One way to compute a stated comparison anew. */
export function readingText(reading: Reading): string {
  const what = reading.metrics.map(claimedMetricLabel).join(' + ')
  const percent = formatShare(Math.abs(reading.lower_by_percent) / 100, 1)
  const moved = reading.lower_by_percent < 0 ? m.claims_higher({ percent }) : m.claims_lower({ percent })
  const change = reading.agrees ? `${moved} (${m.claims_agrees()})` : moved
  if (reading.average === 'geometric') return m.claims_reading_geometric({ what, count: reading.tasks, change })
  const [first] = reading.metrics
  const show = (value: number) => {
    if (first?.endsWith('_bytes')) return formatBytes(value)
    return formatSignificant(value, 4) + noBreak + (first?.endsWith('_tps') ? m.unit_tps() : 'ms')
  }
  return m.claims_reading_mean({ what, mean: show(reading.mean), against: show(reading.against_mean), change })
}

/** A finding ready to be shown. */
export interface FindingText {
  /** Slot of the model it is about, where it is about one. */
  slot: number | null
  title: string
  /** Words of the source itself, in its language. */
  quote: string | null
  /** What was stated, where the title does not say it. */
  stated: string | null
  arithmetic: string[]
}

export function findingText(set: ClaimSet, finding: Finding, standing: Standing): FindingText {
  const plain = { slot: null, quote: null, stated: null }
  const claimed = (id: string) => {
    const claim = set.claims.find((candidate) => candidate.id === id)
    if (!claim) return { ...plain, title: id }
    const title = `${modelName(set, claim.model)} · ${claimTitle(claim)}`
    return { slot: slotOf(set, claim.model), title, quote: null, stated: claimValue(claim) }
  }
  switch (finding.kind) {
    case 'limit':
      return { ...claimed(finding.claim), arithmetic: [limitText(finding.check)] }
    case 'memory':
      return {
        ...claimed(finding.claim),
        arithmetic: [m.claims_memory({ bytes: formatBytes(finding.bytes), ram: formatBytes(finding.ram_bytes) })],
      }
    case 'comparison': {
      const stated = set.comparisons.find((candidate) => candidate.id === finding.comparison)
      const says = {
        holds: m.claims_comparison_holds,
        unclear: m.claims_comparison_unclear,
        fails: m.claims_comparison_fails,
      }
      return {
        ...plain,
        title: stated
          ? m.claims_comparison({ model: modelName(set, stated.model), against: modelName(set, stated.against) })
          : finding.comparison,
        quote: stated?.says ?? null,
        stated: formatShare(finding.lower_by_percent / 100, stated?.decimals ?? 0),
        arithmetic: [says[standing](), ...finding.readings.map(readingText)],
      }
    }
    case 'weights':
      return {
        ...plain,
        title: m.claims_weights(),
        arithmetic: [m.claims_weights_sum({ sum: formatShare(finding.sum_percent / 100) })],
      }
    case 'total': {
      const decimals = set.scorecard?.totals.find((total) => total.model === finding.model)?.decimals ?? 2
      const computed = formatNumber(finding.computed, finding.agrees ? decimals : decimals + 1)
      return {
        ...plain,
        slot: slotOf(set, finding.model),
        title: m.claims_total({
          model: modelName(set, finding.model),
          stated: formatNumber(finding.stated, decimals),
        }),
        arithmetic: [finding.agrees ? m.claims_total_holds({ computed }) : m.claims_total_fails({ computed })],
      }
    }
    case 'percentile': {
      const needed = formatCount(finding.runs_needed)
      return {
        ...plain,
        title: m.claims_percentile({ percentile: asStated(finding.percentile), count: finding.runs }),
        arithmetic: [
          standing === 'fails' ? m.claims_percentile_fails({ needed }) : m.claims_percentile_holds({ needed }),
        ],
      }
    }
  }
}
