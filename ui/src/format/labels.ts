import type {
  Category,
  Conditions,
  Cooled,
  CoreCluster,
  ErrorCode,
  FitAdvice,
  Flag,
  JobState,
  KvType,
  Metric,
  Progress,
  Quality,
  RowVerdict,
  SensorClass,
  Strength,
  ThermalStatus,
} from '../backend/types'
import { locale } from '../i18n'
import { m } from '../paraglide/messages.js'
import { formatBytes, formatCelsius, formatCount, formatDuration, formatNumber, formatShare } from './number'

/** Letter of a slot: A, B … */
export const slotLetter = (slot: number): string => String.fromCharCode(65 + slot)

/** The slot whose mark an entry bears: of more than two, which are settings of one model, none has one of its own. */
export const markOf = (slot: number, entries: number): number => (entries > 2 ? 2 : slot)

export function metricLabel(metric: Metric): string {
  return m[`metric_${metric}`]()
}

/** The figure's definition in a few words. */
export function metricDefinition(metric: Metric): string {
  return m[`define_${metric}`]()
}

export function categoryLabel(category: Category): string {
  return m[`category_${category}`]()
}

export function qualityLabel(quality: Quality): string {
  return { writing_speed: m.quality_speed, time_to_first_token: m.quality_ttft, memory: m.quality_memory }[quality]()
}

export function stateLabel(state: JobState): string {
  return m[`state_${state}`]()
}

/** How hot the system says it is. */
export function thermalLabel(status: ThermalStatus): string {
  return m[`thermal_${status}`]()
}

/** What a temperature is the temperature of. */
export function sensorLabel(sensor: SensorClass): string {
  return m[`sensor_${sensor}`]()
}

/** What the sensors said during a repetition, a phrase each. What they did not say is left out. */
export function conditionNotes(conditions: Conditions | null): string[] {
  if (!conditions) return [m.cond_none()]
  const { temperatures, energy, frequency_share, load_average, thermal_status, slept_ns } = conditions
  const notes = temperatures.map(({ class: sensor, celsius }) =>
    m.cond_temperature({ sensor: sensorLabel(sensor), value: formatCelsius(celsius.mean, 1) }),
  )
  if (temperatures.length === 0) notes.push(m.why_no_temperature())
  if (thermal_status) notes.push(m.cond_thermal({ status: thermalLabel(thermal_status) }))
  if (energy) {
    const value = `${formatNumber(energy.joules, energy.joules < 10 ? 2 : 1)}\u00a0J`
    notes.push(energy.source === 'rapl' ? m.cond_energy_rapl({ value }) : m.cond_energy_battery({ value }))
  } else notes.push(m.cond_no_energy())
  if (frequency_share) notes.push(m.cond_clock({ value: formatShare(frequency_share.mean) }))
  if (load_average) notes.push(m.cond_load({ value: formatNumber(load_average.mean, 2) }))
  if (conditions.charging) notes.push(m.cond_charging())
  if (slept_ns) notes.push(m.cond_slept({ time: formatDuration(slept_ns / 1e9) }))
  for (const sensor of conditions.stuck) notes.push(m[`stuck_${sensor}`]())
  return notes
}

/** How a wait for a cooler machine went. */
export function cooledText(cooled: Cooled): string {
  const degrees = (celsius: number | null) => (celsius === null ? '–' : formatCelsius(celsius, 1))
  return m.cooled_value({
    time: formatDuration(cooled.waited_ms / 1000),
    from: degrees(cooled.from_c),
    to: degrees(cooled.to_c),
    end: m[`cooled_${cooled.reason}`](),
  })
}

/** Groups of cores as `1 at 3.19 GHz, 4 at 2.80 GHz`; `null` where the system does not tell them apart. */
export function clustersText(clusters: CoreCluster[]): string | null {
  if (clusters.length === 0) return null
  return clusters
    .map(({ cores, max_mhz }) =>
      max_mhz === null
        ? m.device_cores({ count: cores })
        : m.cluster_value({ count: cores, clock: `${formatNumber(max_mhz / 1000, 2)}\u00a0GHz` }),
    )
    .join(', ')
}

/** Short name of an error in the person's language; the message beside it is the backend's. */
export function errorTitle(code: ErrorCode): string {
  return m[`error_${code.toLowerCase() as Lowercase<ErrorCode>}`]()
}

/** What a model was made for. */
export function strengthLabel(strength: Strength): string {
  return m[`strength_${strength}`]()
}

/** Languages by their names in the person's own. */
export function languageNames(tags: string[]): string[] {
  const names = new Intl.DisplayNames(locale(), { type: 'language', fallback: 'code' })
  return tags.map((tag) => names.of(tag) ?? tag)
}

/** What a quantization means for the answers, in a few words; `null` where its name does not tell. */
export function quantizationText(name: string): string | null {
  if (/^(BF|F)(16|32)$/.test(name)) return m.quant_full()
  const bits = Number(/^(?:IQ|Q|TQ|MXFP|NVFP)(\d)/.exec(name)?.[1] ?? 0)
  const words: Record<number, () => string> = {
    8: m.quant_8,
    6: m.quant_6,
    5: m.quant_5,
    4: m.quant_4,
    3: m.quant_3,
    2: m.quant_2,
    1: m.quant_2,
  }
  return words[bits]?.() ?? null
}

/** Number format of a cache as its users write it. */
export const kvLabel = (type: KvType): string => type.toUpperCase()

/** What would make a model fit. */
export function adviceText(advice: FitAdvice): string {
  switch (advice.kind) {
    case 'shorter_context':
      return m.advice_shorter_context({ context: formatCount(advice.n_ctx) })
    case 'smaller_kv':
      return m.advice_smaller_kv({ type: kvLabel(advice.kv_type), context: formatCount(advice.n_ctx) })
    case 'no_repacking':
      return m.advice_no_repacking({ size: formatBytes(advice.saved_bytes) })
    case 'free_memory':
      return m.advice_free_memory({ size: formatBytes(advice.missing_bytes) })
    case 'smaller_file':
      return m.advice_smaller_file({ quantization: advice.quantization, size: formatBytes(advice.bytes) })
  }
}

/** A flag's reason in plain words with the figure behind it. */
export function flagText(flag: Flag): string {
  switch (flag.kind) {
    case 'throttled':
      return m.flag_throttled({ value: formatShare(Math.abs(flag.value)) })
    case 'noisy':
      return m.flag_noisy({ value: formatShare(flag.value) })
    case 'busy_machine':
      return m.flag_busy({ value: formatShare(flag.value) })
    case 'swapped':
      return m.flag_swapped({ value: formatBytes(flag.value) })
    case 'backend_fallback':
      return m.flag_fallback()
    case 'early_stop':
      return m.flag_early()
    case 'few_samples':
      return m.flag_few({ value: formatCount(flag.value) })
    case 'charging':
      return m.flag_charging({ count: flag.value })
    case 'low_battery':
      return m.flag_low_battery({ value: formatShare(flag.value / 100) })
    case 'stuck_sensor':
      return m.flag_stuck({ count: flag.value })
  }
}

/** Why a row has no winner; `null` where it has one or there is nothing to win. */
export function rowReason(verdict: RowVerdict): string | null {
  switch (verdict.kind) {
    case 'winner':
    case 'single':
      return null
    case 'no_real_difference':
      return m.row_no_difference()
    case 'too_few_samples':
      return m.row_too_few()
    case 'not_comparable':
      return verdict.reason === 'answer_lengths' ? m.row_lengths() : m.row_red()
    case 'not_measured':
      return m.row_not_measured()
  }
}

/** Progress as `12 of 40 repetitions`. */
export function progressText(progress: Progress): string {
  const bytes = progress.unit === 'bytes'
  const amount = (n: number) => (bytes ? formatBytes(n) : formatCount(n))
  const units: Record<string, () => string> = { repetitions: m.unit_repetitions, cells: m.unit_cells, bytes: () => '' }
  const unit = (units[progress.unit] ?? (() => progress.unit))()
  const text =
    progress.total === null
      ? m.progress_open({ done: amount(progress.done), unit })
      : m.progress_of({ done: amount(progress.done), total: amount(progress.total), unit })
  return text.trim()
}

export function rateText(progress: Progress): string | null {
  if (progress.rate === null) return null
  if (progress.unit === 'bytes') return m.rate_bytes({ size: formatBytes(progress.rate) })
  return m.rate_per_minute({ rate: formatNumber(progress.rate * 60, progress.rate * 60 < 10 ? 1 : 0) })
}

export function etaText(progress: Progress): string {
  return progress.eta_s === null ? m.eta_unknown() : m.eta_left({ time: formatDuration(progress.eta_s) })
}

/** Parameters as `3.8 B` or `270 M`. */
export function parametersText(count: number): string {
  return count >= 1e9 ? `${formatNumber(count / 1e9, 1)} B` : `${formatNumber(count / 1e6, 0)} M`
}
