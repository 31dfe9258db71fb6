import type { PressureStep } from '../backend/types'
import { m } from '../paraglide/messages.js'
import { formatBytes, formatNumber, formatShare, supportedDecimals } from './number'

/** What came of one amount of free memory, in a sentence. */
export function pressureText(step: PressureStep): string {
  const said = [outcome(step)]
  if (step.outcome.kind === 'slower' && step.major_faults !== null && step.major_faults >= 1) {
    said.push(m.pressure_faults({ count: formatNumber(step.major_faults, 0) }))
  }
  if (step.swap_bytes !== null && step.swap_bytes > 0) {
    said.push(m.pressure_swapped({ size: formatBytes(step.swap_bytes) }))
  }
  return said.join(' ')
}

function outcome({ outcome, speed }: PressureStep): string {
  const share = (value: number) => {
    const interval = speed && { low: speed.interval.low * 100, high: speed.interval.high * 100 }
    return formatShare(value, Math.min(1, Math.max(0, supportedDecimals(value * 100, interval))))
  }
  const shares = speed && {
    speed: share(speed.value),
    low: share(speed.interval.low),
    high: share(speed.interval.high),
  }
  switch (outcome.kind) {
    case 'full_speed':
      return shares ? m.pressure_full_speed(shares) : m.pressure_full_speed_plain()
    case 'slower':
      return shares ? m.pressure_slower(shares) : m.pressure_slower_plain()
    case 'died':
      return outcome.failure.code === 'OUT_OF_MEMORY' ? m.pressure_out_of_memory() : m.pressure_crashed()
    case 'not_measured':
      if (outcome.failure?.code === 'UNSUPPORTED_REQUEST') return m.pressure_unsupported()
      return outcome.failure?.code === 'NOT_ENOUGH_MEMORY' ? m.pressure_not_free() : m.pressure_not_measured()
  }
}
