import type {
  AnswerFigures,
  ChatMessage,
  Cost,
  ModelEntry,
  Money,
  RouteCloudProblem,
  RouteDecision,
  RouteEvidence,
  RouteLocalProblem,
  RouteReason,
  RouteSignalKind,
  TaskKind,
} from '../backend/types'
import { locale } from '../i18n'
import { m } from '../paraglide/messages.js'
import { errorTitle } from './labels'
import { formatCount, formatNumber, formatShare, formatSignificant } from './number'

const noBreak = '\u00a0'

/** An amount of money: two significant digits of what is less than a cent. */
export function formatMoney({ currency, nanos }: Money): string {
  const amount = nanos / 1e9
  const digits = amount === 0 || amount >= 0.1 ? 2 : Math.min(9, 1 - Math.floor(Math.log10(amount)))
  return new Intl.NumberFormat(locale(), {
    style: 'currency',
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(amount)
}

/** What an answer cost; `null`: not known. */
export function costText(cost: Cost): string | null {
  if (cost === 'free') return m.chat_cost_free()
  return cost === 'unknown' ? null : formatMoney(cost.amount)
}

/** A wait: whole milliseconds, or seconds with a digit behind the point. */
export function waitText(ms: number): string {
  return ms < 1_000 ? `${formatCount(ms)}${noBreak}ms` : `${formatNumber(ms / 1_000, 1)}${noBreak}s`
}

/** The figures under an answer, a phrase each. */
export function figureTexts(figures: AnswerFigures): string[] {
  const texts: string[] = [
    m.chat_figure_tokens({ count: figures.generated_tokens, shown: formatCount(figures.generated_tokens) }),
  ]
  if (figures.decode_tps !== null) texts.push(`${formatSignificant(figures.decode_tps, 3)}${noBreak}${m.unit_tps()}`)
  if (figures.ttft_ms !== null) texts.push(m.chat_figure_ttft({ time: waitText(figures.ttft_ms) }))
  texts.push(
    figures.reused_tokens > 0
      ? m.chat_figure_prompt_reused({
          prompt: formatCount(figures.prompt_tokens),
          reused: formatCount(figures.reused_tokens),
        })
      : m.chat_figure_prompt({ prompt: formatCount(figures.prompt_tokens) }),
  )
  texts.push(
    figures.mj_per_token === null
      ? m.chat_figure_no_energy()
      : m.chat_figure_energy({ value: `${formatSignificant(figures.mj_per_token, 2)}${noBreak}${m.unit_mj()}` }),
  )
  return texts
}

/** Why an answer is not whole, where it is not. */
export function endText({ state, answer }: ChatMessage): string | null {
  if (state === 'stopped') return m.chat_end_stopped()
  if (state === 'cut') return m.chat_end_cut()
  if (state !== 'complete') return null
  if (answer?.figures?.stop === 'max_tokens') return m.chat_end_max_tokens()
  return answer?.figures?.stop === 'context_full' ? m.chat_end_context() : null
}

export const taskLabel = (task: TaskKind): string => m[`route_task_${task}`]()
export const signalLabel = (signal: RouteSignalKind): string => m[`route_signal_${signal}`]()

/** The name of a model that is here. */
export function modelName({ model, title, file_name }: ModelEntry): string {
  return model ? `${title ?? model.header.name} · ${model.header.quantization}` : file_name
}

function localProblem(problem: RouteLocalProblem): string {
  switch (problem.kind) {
    case 'no_model':
      return m.route_local_no_model()
    case 'not_enough_memory':
      return m.route_local_memory()
    case 'window_too_small':
      return m.route_local_window({ needed: formatCount(problem.needed), window: formatCount(problem.window) })
    case 'failed':
      return m.route_local_failed({ why: errorTitle(problem.code) })
  }
}

function cloudProblem(problem: RouteCloudProblem): string {
  switch (problem.kind) {
    case 'no_provider':
      return m.route_cloud_no_provider()
    case 'over_budget':
      return m.route_cloud_budget()
    case 'failed':
      return m.route_cloud_failed({ why: errorTitle(problem.code) })
  }
}

/** One step of a decision in words. */
export function reasonText(reason: RouteReason): string {
  switch (reason.kind) {
    case 'always_local':
      return m.route_reason_always_local()
    case 'rule_of_kind':
      return m.route_reason_rule({ task: taskLabel(reason.task), rule: m[`route_rule_${reason.rule}`]() })
    case 'score_reaches':
      return m.route_reason_reaches({
        score: formatNumber(reason.score, 2),
        threshold: formatNumber(reason.threshold, 2),
      })
    case 'score_below':
      return m.route_reason_below({
        score: formatNumber(reason.score, 2),
        threshold: formatNumber(reason.threshold, 2),
      })
    case 'local_cannot':
      return localProblem(reason.problem)
    case 'cloud_cannot':
      return cloudProblem(reason.problem)
    case 'consent_granted':
      return m.route_reason_granted()
    case 'consent_refused':
      return m.route_reason_refused()
  }
}

/** Why, in one line: the last step that decided. */
export const whyText = (decision: RouteDecision): string => decision.reasons.map(reasonText).join(' ')

/** What a signal rests on; empty where it says nothing. */
export function evidenceText(evidence: RouteEvidence): string {
  switch (evidence.kind) {
    case 'nothing':
      return ''
    case 'found':
      return evidence.terms.join(', ') + (evidence.more > 0 ? ` +${formatCount(evidence.more)}` : '')
    case 'tokens':
      return m.route_evidence_tokens({ count: formatCount(evidence.tokens) })
    case 'answer_words':
      return m.route_evidence_words({ count: formatCount(evidence.words) })
    case 'window':
      return m.route_evidence_window({ needed: formatCount(evidence.needed), window: formatCount(evidence.window) })
    case 'window_unknown':
      return m.route_evidence_window_unknown()
    case 'failed':
      return m.route_evidence_failed({ count: formatCount(evidence.answers) })
  }
}

/** What a signal adds to the score. */
export const addedText = (value: number, weight: number): string => `+${formatNumber(value * weight, 2)}`

/** How full a context is. */
export const fullness = (tokens: number, room: number): string => formatShare(room > 0 ? Math.min(1, tokens / room) : 1)
