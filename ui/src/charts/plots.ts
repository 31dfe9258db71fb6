// The statistical charts. This module pulls in Observable Plot, so it is loaded only when a chart is shown.
import { axisX, barX, dot, gridX, plot, ruleX, ruleY, text } from '@observablehq/plot'

/** A median of one model on one task, already in the unit that is shown. */
export interface IntervalPoint {
  task: string
  slot: number
  median: number
  low: number | null
  high: number | null
  label: string
}

export interface IntervalChart {
  kind: 'interval'
  points: IntervalPoint[]
  unit: string
  /** A line that the values are held against. */
  limit?: { value: number; label: string } | undefined
}

export interface MemoryPart {
  slot: number
  part: 'weights' | 'kv' | 'compute' | 'baseline' | 'rest'
  value: number
}

export interface MemoryChart {
  kind: 'memory'
  parts: MemoryPart[]
  /** What stands at the end of each bar. */
  totals: { slot: number; value: number; label: string }[]
  unit: string
  limit?: { value: number; label: string } | undefined
}

export interface ShareChart {
  kind: 'share'
  shares: { slot: number; value: number; label: string }[]
}

export type Chart = IntervalChart | MemoryChart | ShareChart

const modelColour = (slot: number) => `var(--colour-model-${slot})`
const symbols = ['circle', 'diamond'] as const

function frame(width: number, rem: number) {
  return {
    width,
    marginTop: rem * 0.5,
    marginRight: rem,
    marginBottom: rem * 2,
    marginLeft: 1,
    style: {
      fontSize: `${0.875 * rem}px`,
      fontFamily: 'inherit',
      color: 'var(--colour-ink-2)',
      background: 'none',
      overflow: 'visible',
    },
  }
}

function intervalPlot({ points, unit, limit }: IntervalChart, width: number, rem: number) {
  const tasks = [...new Set(points.map((point) => point.task))]
  const slots = new Set(points.map((point) => point.slot)).size
  const lane = 0.26
  const y = (point: IntervalPoint) => tasks.indexOf(point.task) + (slots > 1 ? point.slot * lane : lane / 2)
  const ends = points.filter((point) => point.low !== null && point.high !== null)
  const tick = { stroke: (point: IntervalPoint) => modelColour(point.slot), strokeWidth: 2 }
  const largest = Math.max(limit?.value ?? 0, ...points.map((point) => point.high ?? point.median))
  return plot({
    ...frame(width, rem),
    height: tasks.length * rem * 4.25 + rem * 2.5,
    x: { domain: [0, largest], insetRight: rem * 6, nice: false },
    y: { domain: [-0.55, tasks.length - 0.45], range: [0, tasks.length * rem * 4.25], axis: null },
    marks: [
      gridX({ stroke: 'var(--colour-line)', strokeOpacity: 1, ticks: 4 }),
      axisX({ ticks: 4, tickSize: 0, label: unit, labelArrow: 'none', labelAnchor: 'right' }),
      limit && ruleX([limit.value], { stroke: 'var(--colour-bad)', strokeWidth: 2, strokeDasharray: '6 4' }),
      limit &&
        text([limit.label], {
          x: limit.value,
          frameAnchor: 'top',
          textAnchor: 'start',
          dx: 6,
          fill: 'var(--colour-bad)',
        }),
      text(tasks, {
        y: (task: string) => tasks.indexOf(task) - 0.3,
        frameAnchor: 'left',
        textAnchor: 'start',
        fill: 'var(--colour-ink)',
        fontWeight: 550,
        stroke: 'var(--colour-plate)',
        strokeWidth: 4,
      }),
      ruleY(ends, { y, x1: 'low', x2: 'high', ...tick }),
      ruleX(ends, { x: 'low', y1: (p: IntervalPoint) => y(p) - 0.1, y2: (p: IntervalPoint) => y(p) + 0.1, ...tick }),
      ruleX(ends, { x: 'high', y1: (p: IntervalPoint) => y(p) - 0.1, y2: (p: IntervalPoint) => y(p) + 0.1, ...tick }),
      ...[0, 1].map((slot) =>
        dot(
          points.filter((point) => point.slot === slot),
          { x: 'median', y, r: rem * 0.28, symbol: symbols[slot] ?? 'circle', fill: modelColour(slot) },
        ),
      ),
      text(points, {
        x: (point: IntervalPoint) => point.high ?? point.median,
        y,
        text: 'label',
        textAnchor: 'start',
        dx: rem * 0.6,
        fill: 'var(--colour-ink)',
        stroke: 'var(--colour-plate)',
        strokeWidth: 4,
      }),
    ],
  })
}

const partOrder = ['weights', 'kv', 'compute', 'baseline', 'rest'] as const

function memoryPlot({ parts, totals, unit, limit }: MemoryChart, width: number, rem: number) {
  const slots = totals.length
  const largest = Math.max(limit?.value ?? 0, ...totals.map((total) => total.value))
  const row = rem * 3.25
  return plot({
    ...frame(width, rem),
    height: slots * row + rem * 2.5,
    x: { domain: [0, largest], insetRight: rem * 6 },
    y: { domain: totals.map((total) => total.slot), range: [0, slots * row], padding: 0.3, axis: null },
    marks: [
      gridX({ stroke: 'var(--colour-line)', strokeOpacity: 1, ticks: 4 }),
      axisX({ ticks: 4, tickSize: 0, label: unit, labelArrow: 'none', labelAnchor: 'right' }),
      barX(parts, {
        y: 'slot',
        x: 'value',
        z: 'part',
        order: partOrder as unknown as string[],
        fill: (part: MemoryPart) => `var(--colour-part-${part.part})`,
        insetRight: 1,
      }),
      limit && ruleX([limit.value], { stroke: 'var(--colour-bad)', strokeWidth: 2, strokeDasharray: '6 4' }),
      ruleX([0], { stroke: 'var(--colour-ink-2)' }),
      text(totals, {
        y: 'slot',
        x: 'value',
        text: 'label',
        textAnchor: 'start',
        dx: rem * 0.5,
        fill: 'var(--colour-ink)',
      }),
    ],
  })
}

function sharePlot({ shares }: ShareChart, width: number, rem: number) {
  const row = rem * 1.75
  return plot({
    ...frame(width, rem),
    marginBottom: rem * 0.25,
    height: shares.length * row + rem * 0.75,
    x: { domain: [0, 1], insetRight: rem * 4, axis: null },
    y: { domain: shares.map((share) => share.slot), range: [0, shares.length * row], padding: 0.35, axis: null },
    marks: [
      barX(shares, { y: 'slot', x1: 0, x2: 1, fill: 'var(--colour-well)', stroke: 'var(--colour-edge)' }),
      barX(shares, { y: 'slot', x: 'value', fill: (share: { slot: number }) => modelColour(share.slot) }),
      text(shares, { y: 'slot', x: 1, text: 'label', textAnchor: 'start', dx: rem * 0.5, fill: 'var(--colour-ink)' }),
    ],
  })
}

/** Draws a chart as SVG for a box of this width; `rem` is the size of the text around it, in pixels. */
export function draw(chart: Chart, width: number, rem: number): Element {
  switch (chart.kind) {
    case 'interval':
      return intervalPlot(chart, width, rem)
    case 'memory':
      return memoryPlot(chart, width, rem)
    case 'share':
      return sharePlot(chart, width, rem)
  }
}
