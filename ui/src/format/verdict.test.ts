import { beforeEach, describe, expect, test } from 'vitest'
import type { Dimension, Doubt, Quality, Verdict, SweepFinding } from '../backend/types'
import { locales } from '../paraglide/runtime.js'
import { useLocale } from '../i18n'
import { certaintyLabel, certaintyText, doubtText, verdictSentence } from './verdict'

const names = ['Small · Q4_1', 'Large · Q8_0']
const plain = (text: string) => text.replaceAll(/[\u00a0\u202f]/g, ' ')

function dimension(quality: Quality, advantage: number, winner: number | null): Dimension {
  return { quality, advantage, interval: { low: advantage * 0.99, high: advantage * 1.01 }, winner, tasks: 4 }
}

function verdict(outcome: Verdict['outcome'], winner: number | null, dimensions: Dimension[]): Verdict {
  return {
    outcome,
    winner,
    dimensions,
    tasks_won: [0, 0],
    tasks_compared: 0,
    certainty: 'moderate',
    doubts: [],
    sweep: [],
    sentence: 'not for the app',
  }
}

const better = verdict('better', 1, [
  dimension('writing_speed', 1 / 1.42, 1),
  dimension('time_to_first_token', 1 / 1.25, 1),
  dimension('memory', 1.01, null),
])
const tradeOff = verdict('trade_off', null, [dimension('writing_speed', 2.5, 0), dimension('memory', 0.5, 1)])

beforeEach(() => useLocale('en'))

describe('in English', () => {
  test('a winner of slot 1, seen from its side, without the quality in which nobody wins', () => {
    expect(plain(verdictSentence(better, names))).toBe(
      'Large · Q8_0 is the better choice on this device: it writes 42% faster and needs 20% less time to start answering.',
    )
  })

  test('a trade-off names what each is better in', () => {
    expect(plain(verdictSentence(tradeOff, names))).toBe(
      'It is a trade-off: Small · Q4_1 writes 2.50 times as fast, while Large · Q8_0 uses 50% less memory.',
    )
  })

  test('the others', () => {
    expect(verdictSentence(verdict('no_real_difference', null, []), names)).toBe(
      'There is no real difference between Small · Q4_1 and Large · Q8_0 on this device.',
    )
    expect(verdictSentence(verdict('withheld', null, []), names)).toMatch(/^No verdict/)
    expect(verdictSentence(verdict('single', null, []), ['Small · Q4_1'])).toMatch(/^Small · Q4_1 was measured alone/)
  })

  test('a sweep names the settings that are as good as the best', () => {
    const finding: SweepFinding = {
      task_id: 'tg64',
      metric: 'synthetic_tps',
      best: 2,
      even: [1],
      worst: 0,
      factor: 1.92,
      interval: { low: 1.9, high: 1.94 },
    }
    const threads = ['1 thread', '2 threads', '4 threads']
    const sweep = { ...verdict('sweep', null, []), sweep: [finding] }
    expect(plain(verdictSentence(sweep, threads))).toMatch(
      /^On this device 2 threads or 4 threads is best for .*: 1.92 times as good as 1 thread\.$/,
    )
    const none = { ...sweep, sweep: [{ ...finding, even: [0, 1] }] }
    expect(verdictSentence(none, threads)).toMatch(/^None of the 3 settings/)
  })

  test('no more digits than the interval supports', () => {
    const rough: Dimension = { ...dimension('writing_speed', 1.42, 0), interval: { low: 1.2, high: 1.6 } }
    expect(plain(verdictSentence(verdict('better', 0, [rough]), names))).toContain('writes 40% faster')
  })
})

test('in Spanish', () => {
  useLocale('es')
  expect(plain(verdictSentence(better, names))).toBe(
    'Large · Q8_0 es la mejor opción en este dispositivo: escribe un 42 % más rápido y tarda un 20 % menos en empezar a responder.',
  )
  expect(plain(verdictSentence(tradeOff, names))).toBe(
    'Hay que elegir: Small · Q4_1 escribe 2,50 veces más rápido, mientras que Large · Q8_0 usa un 50 % menos de memoria.',
  )
})

test('in Chinese', () => {
  useLocale('zh-CN')
  expect(plain(verdictSentence(better, names))).toBe(
    'Large · Q8_0 更适合这台设备：生成速度快 42%，开始回答所需时间少 20%。',
  )
  expect(plain(verdictSentence(tradeOff, names))).toBe(
    '各有取舍：Small · Q4_1 生成速度是对方的 2.50 倍；Large · Q8_0 内存占用少 50%。',
  )
})

const doubts: Doubt[] = [
  { kind: 'few_repetitions', count: 3 },
  { kind: 'noisy_cells', count: 2, of: 14 },
  { kind: 'busy_machine', count: 2, of: 14 },
  { kind: 'left_out', count: 2, of: 14 },
  { kind: 'failed_cells', count: 2, of: 14 },
  { kind: 'not_measured', count: 2, of: 14 },
]

test.each(locales)('every certainty and every doubt has its own words in %s', (language) => {
  useLocale(language)
  const words = [
    ...doubts.map(doubtText),
    ...(['low', 'moderate', 'high'] as const).flatMap((c) => [certaintyLabel(c), certaintyText(c)]),
  ]
  expect(new Set(words).size).toBe(words.length)
  for (const doubt of doubts) expect(doubtText(doubt)).toContain(String(doubt.count))
})

test('one repetition is not “repetitions”', () => {
  expect(doubtText({ kind: 'few_repetitions', count: 1 })).toContain('1 repetition stands')
})
