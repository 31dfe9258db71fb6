// The statistical charts. This module pulls in Observable Plot, so it is loaded only when a chart is shown.
import { axisX, axisY, dot, gridX, gridY, line, plot, rect, ruleX, ruleY, text, type Markish } from '@observablehq/plot'

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
  /** Nobody measured them here. */
  hollow?: boolean
}

export interface MemoryPart {
  slot: number
  part: 'weights' | 'kv' | 'compute' | 'baseline' | 'rest'
  /** Where the part begins and ends in the bar, in the unit that is shown. */
  from: number
  to: number
}

/** A bar: whose it is, how far it reaches and what stands at its end. */
export interface Bar {
  slot: number
  name: string
  value: number
  label: string
}

export interface MemoryChart {
  kind: 'memory'
  parts: MemoryPart[]
  bars: Bar[]
  unit: string
  /** Settings of one model, which have no marks of their own. */
  plain: boolean
  limit?: { value: number; label: string } | undefined
}

export interface ShareChart {
  kind: 'share'
  /** Values are shares, 0–1. */
  bars: Bar[]
}

/** A setting of a sweep: its median and interval, in the unit that is shown, or why there is none. */
export interface SweepBar {
  name: string
  value: number
  low: number | null
  high: number | null
  label: string
  why: string | null
  best: boolean
}

export interface SweepChart {
  kind: 'sweep'
  bars: SweepBar[]
  unit: string
}

/** A model's course over time in minutes. */
export interface CurveLine {
  slot: number
  points: { x: number; y: number }[]
}

/** A value that holds from one minute to another. */
export interface CurveLevel {
  slot: number
  from: number
  to: number
  y: number
}

export interface CurveChart {
  kind: 'curve'
  lines: CurveLine[]
  levels: CurveLevel[]
  /** Last minute. */
  end: number
  unit: string
  /** Unit of time. */
  time: string
  /** The scale begins at zero. */
  zero: boolean
}

export type Chart = IntervalChart | MemoryChart | ShareChart | SweepChart | CurveChart

// Settings of one model have no colours of their own.
const modelColour = (slot: number) => (slot < 2 ? `var(--colour-model-${slot})` : 'var(--colour-ink-2)')
const symbols = ['circle', 'diamond'] as const

function frame(width: number, rem: number) {
  return {
    width,
    marginTop: rem * 0.5,
    marginRight: rem,
    marginBottom: rem * 2,
    marginLeft: rem * 0.5,
    style: {
      fontSize: `${0.875 * rem}px`,
      fontFamily: 'inherit',
      color: 'var(--colour-ink-2)',
      background: 'none',
      overflow: 'visible',
    },
  }
}

function intervalPlot({ points, unit, limit, hollow }: IntervalChart, width: number, rem: number) {
  const tasks = [...new Set(points.map((point) => point.task))]
  const slots = new Set(points.map((point) => point.slot)).size
  const lane = 0.26
  const y = (point: IntervalPoint) => tasks.indexOf(point.task) + (slots > 1 ? point.slot * lane : lane / 2)
  const ends = points.filter((point) => point.low !== null && point.high !== null)
  const tick = { stroke: (point: IntervalPoint) => modelColour(point.slot), strokeWidth: 2 }
  const largest = Math.max(limit?.value ?? 0, ...points.map((point) => point.high ?? point.median))
  // A line close to zero would run through the titles.
  const beside = limit && limit.value < 0.05 * largest
  return plot({
    ...frame(width, rem),
    height: tasks.length * rem * 4.25 + rem * 2.5,
    x: { domain: [0, largest], insetRight: rem * 6, nice: false },
    y: { domain: [-0.55, tasks.length - 0.45], range: [0, tasks.length * rem * 4.25], axis: null },
    marks: [
      gridX({ stroke: 'var(--colour-line)', strokeOpacity: 1, ticks: 4 }),
      axisX({ ticks: 4, tickSize: 0, label: unit, labelArrow: 'none', labelAnchor: 'right', labelOffset: rem * 1.2 }),
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
        ...(limit && beside ? { x: limit.value, dx: rem * 0.4 } : {}),
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
          {
            x: 'median',
            y,
            r: rem * 0.28,
            symbol: symbols[slot] ?? 'circle',
            fill: hollow ? 'var(--colour-plate)' : modelColour(slot),
            stroke: modelColour(slot),
            strokeWidth: hollow ? 2 : 0,
          },
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

/** Height of a bar with its name above, in rem. */
const barRow = 3.5

/** Bars with the name of the model above and the value at the end. */
function barPlot(
  {
    bars,
    unit,
    full,
    limit,
    plain = false,
  }: { bars: Bar[]; unit: string | null; full: number; limit?: MemoryChart['limit']; plain?: boolean },
  fills: (y1: (slot: number) => number, y2: (slot: number) => number) => Markish[],
  width: number,
  rem: number,
) {
  const row = (slot: number) => bars.findIndex((bar) => bar.slot === slot)
  const y1 = (slot: number) => row(slot) + 0.45
  const y2 = (slot: number) => row(slot) + 0.85
  const height = bars.length * barRow * rem
  return plot({
    ...frame(width, rem),
    height: height + rem * (unit ? 2.5 : 0.5),
    marginBottom: unit ? rem * 2 : 0,
    x: { domain: [0, full], insetRight: rem * 5, axis: null },
    y: { domain: [0, bars.length], range: [0, height], axis: null },
    marks: [
      unit === null ? null : gridX({ stroke: 'var(--colour-line)', strokeOpacity: 1, ticks: 4 }),
      unit === null
        ? null
        : axisX({
            ticks: 4,
            tickSize: 0,
            label: unit,
            labelArrow: 'none',
            labelAnchor: 'right',
            labelOffset: rem * 1.2,
          }),
      ...fills(y1, y2),
      limit && ruleX([limit.value], { stroke: 'var(--colour-bad)', strokeWidth: 2, strokeDasharray: '6 4' }),
      dot(plain ? [] : bars, {
        x: 0,
        y: (bar: Bar) => row(bar.slot) + 0.24,
        dx: rem * 0.35,
        r: rem * 0.28,
        symbol: (bar: Bar) => symbols[bar.slot] ?? 'circle',
        fill: (bar: Bar) => modelColour(bar.slot),
      }),
      text(bars, {
        x: 0,
        y: (bar: Bar) => row(bar.slot) + 0.24,
        dx: plain ? 0 : rem,
        text: 'name',
        textAnchor: 'start',
        fill: 'var(--colour-ink)',
        stroke: 'var(--colour-plate)',
        strokeWidth: 4,
      }),
      text(bars, {
        x: (bar: Bar) => (unit ? bar.value : full),
        y: (bar: Bar) => (y1(bar.slot) + y2(bar.slot)) / 2,
        dx: rem * 0.5,
        text: 'label',
        textAnchor: 'start',
        fontWeight: 650,
        fill: 'var(--colour-ink)',
      }),
    ],
  })
}

function memoryPlot({ parts, bars, unit, limit, plain }: MemoryChart, width: number, rem: number) {
  const full = Math.max(limit?.value ?? 0, ...bars.map((bar) => bar.value))
  return barPlot(
    { bars, unit, full, limit, plain },
    (y1, y2) => [
      rect(parts, {
        x1: 'from',
        x2: 'to',
        y1: (part: MemoryPart) => y1(part.slot),
        y2: (part: MemoryPart) => y2(part.slot),
        insetRight: 1,
        fill: (part: MemoryPart) => `var(--colour-part-${part.part})`,
      }),
    ],
    width,
    rem,
  )
}

function sharePlot({ bars }: ShareChart, width: number, rem: number) {
  return barPlot(
    { bars, unit: null, full: 1 },
    (y1, y2) => {
      const lanes = { y1: (bar: Bar) => y1(bar.slot), y2: (bar: Bar) => y2(bar.slot) }
      return [
        rect(bars, { x1: 0, x2: 1, ...lanes, fill: 'var(--colour-well)', stroke: 'var(--colour-edge)' }),
        rect(bars, { x1: 0, x2: 'value', ...lanes, fill: (bar: Bar) => modelColour(bar.slot) }),
      ]
    },
    width,
    rem,
  )
}

/** Height of a setting of a sweep, in rem. */
const sweepRow = 2.75

function sweepPlot({ bars, unit }: SweepChart, width: number, rem: number) {
  const height = bars.length * sweepRow * rem
  const row = (bar: SweepBar) => bars.indexOf(bar)
  const known = bars.filter((bar) => bar.why === null)
  const ends = known.filter((bar) => bar.low !== null && bar.high !== null)
  const middle = (bar: SweepBar) => row(bar) + 0.68
  const largest = Math.max(...known.map((bar) => bar.high ?? bar.value), 0) || 1
  const whisker = { stroke: 'var(--colour-ink)', strokeWidth: 1.5 }
  return plot({
    ...frame(width, rem),
    height: height + rem * 2.5,
    x: { domain: [0, largest], insetRight: rem * 8, nice: false },
    y: { domain: [0, bars.length], range: [0, height], axis: null },
    marks: [
      gridX({ stroke: 'var(--colour-line)', strokeOpacity: 1, ticks: 4 }),
      axisX({ ticks: 4, tickSize: 0, label: unit, labelArrow: 'none', labelAnchor: 'right', labelOffset: rem * 1.2 }),
      rect(known, {
        x1: 0,
        x2: 'value',
        y1: (bar: SweepBar) => row(bar) + 0.48,
        y2: (bar: SweepBar) => row(bar) + 0.88,
        fill: (bar: SweepBar) => (bar.best ? 'var(--colour-model-0)' : 'var(--colour-model-0-wash)'),
        stroke: 'var(--colour-model-0)',
      }),
      ruleY(ends, { y: middle, x1: 'low', x2: 'high', ...whisker }),
      ...(['low', 'high'] as const).map((x) =>
        ruleX(ends, {
          x,
          y1: (bar: SweepBar) => middle(bar) - 0.1,
          y2: (bar: SweepBar) => middle(bar) + 0.1,
          ...whisker,
        }),
      ),
      text(bars, {
        x: 0,
        y: (bar: SweepBar) => row(bar) + 0.27,
        text: 'name',
        textAnchor: 'start',
        fontWeight: 550,
        fill: 'var(--colour-ink)',
        stroke: 'var(--colour-plate)',
        strokeWidth: 4,
      }),
      text(bars, {
        x: (bar: SweepBar) => bar.high ?? bar.value,
        y: middle,
        dx: rem * 0.5,
        text: (bar: SweepBar) => bar.why ?? bar.label,
        textAnchor: 'start',
        fill: (bar: SweepBar) => (bar.why === null ? 'var(--colour-ink)' : 'var(--colour-ink-2)'),
        stroke: 'var(--colour-plate)',
        strokeWidth: 4,
      }),
    ],
  })
}

function curvePlot({ lines, levels, end, unit, time, zero }: CurveChart, width: number, rem: number) {
  const values = lines.flatMap(({ points }) => points.map(({ y }) => y))
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const domain = zero ? [0, most * 1.1] : [Math.floor(least - 2), Math.ceil(most + 2)]
  return plot({
    ...frame(width, rem),
    height: (zero ? 15 : 10) * rem,
    marginTop: rem * 1.75,
    marginBottom: rem * 2.5,
    marginLeft: rem * 2.5,
    x: { domain: [0, end] },
    y: { domain },
    marks: [
      gridY({ stroke: 'var(--colour-line)', strokeOpacity: 1, ticks: 4 }),
      axisY({ ticks: 4, tickSize: 0, label: unit, labelArrow: 'none', labelAnchor: 'top', labelOffset: rem * 2.25 }),
      axisX({ ticks: 5, tickSize: 0, label: time, labelArrow: 'none', labelAnchor: 'right', labelOffset: rem * 2 }),
      ...levels.map(({ slot, from, to, y }) =>
        line(
          [
            { x: from, y },
            { x: to, y },
          ],
          { x: 'x', y: 'y', stroke: modelColour(slot), strokeWidth: rem * 0.5, strokeOpacity: 0.3 },
        ),
      ),
      ...lines.map(({ slot, points }) =>
        line(points, {
          x: 'x',
          y: 'y',
          stroke: modelColour(slot),
          strokeWidth: 2,
          strokeDasharray: slot === 1 ? '5 3' : 'none',
          curve: 'monotone-x',
        }),
      ),
    ],
  })
}

function plotOf(chart: Chart, width: number, rem: number): Element {
  switch (chart.kind) {
    case 'interval':
      return intervalPlot(chart, width, rem)
    case 'memory':
      return memoryPlot(chart, width, rem)
    case 'share':
      return sharePlot(chart, width, rem)
    case 'sweep':
      return sweepPlot(chart, width, rem)
    case 'curve':
      return curvePlot(chart, width, rem)
  }
}

/** Draws a chart as SVG for a box of this width; `rem` is the size of the text around it, in pixels. */
export function draw(chart: Chart, width: number, rem: number): Element {
  const svg = plotOf(chart, width, rem)
  // The box around it says what it shows; Plot's own labels are the names of its marks.
  svg.setAttribute('aria-hidden', 'true')
  return svg
}
