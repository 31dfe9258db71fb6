// What the tests share: opening a screen, and the checks that hold for every screen.
import { test as base, expect, type Page } from '@playwright/test'
import axe from 'axe-core'

/** The newest run of every scenario of the fake backend, and its job. */
export const runId = '01930000-0000-7000-8000-000000000001'
export const jobId = '01930000-0000-7000-9000-000000000001'

/** A page that fails its test on any complaint of the browser and on any request that leaves this machine. */
export const test = base.extend({
  page: async ({ page }, use) => {
    const complaints: string[] = []
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      const { hostname, protocol } = new URL(request.url())
      if (protocol.startsWith('http') && hostname !== 'localhost') complaints.push(`asked ${hostname}`)
    })
    await use(page)
    expect(complaints, 'complaints of the browser').toEqual([])
  },
})

export { expect }

/** Opens a screen; `query` steers the fake backend. */
export async function open(page: Page, hash: string, query = ''): Promise<void> {
  await page.goto(`/?lang=en&${query}${hash}`)
}

/**
 * No rule of WCAG 2.2 A or AA is broken, as far as a program can tell. `contrastOnly`: the page was checked in the light
 * already, and the dark changes nothing but colours.
 */
export async function expectAccessible(page: Page, contrastOnly = false): Promise<void> {
  await page.evaluate(axe.source)
  const violations = await page.evaluate(async (contrastOnly) => {
    const { axe } = window as unknown as { axe: typeof import('axe-core') }
    const result = await axe.run(document, {
      runOnly: contrastOnly
        ? ['color-contrast']
        : ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      // A popover hangs at the end of the body, outside every landmark; it is reached from its button.
      ...(contrastOnly ? {} : { rules: { region: { enabled: false } } }),
      resultTypes: ['violations'],
    })
    return result.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((n) => n.html).join(' | ')}`)
  }, contrastOnly)
  expect(violations, 'accessibility').toEqual([])
}

/** Nothing sticks out of the window to the side, and no text is cut off. */
export async function expectNothingCutOff(page: Page, when: string): Promise<void> {
  const faults = await page.evaluate(() => {
    const found: string[] = []
    const name = (element: Element) =>
      `${element.tagName.toLowerCase()}.${element.getAttribute('class') ?? ''} “${(element.textContent ?? '').trim().slice(0, 40)}”`
    if (document.documentElement.scrollWidth > window.innerWidth) found.push('the page scrolls sideways')
    for (const element of document.querySelectorAll<HTMLElement>('body *')) {
      // Tables scroll in their own box; hidden text is meant for screen readers.
      if (element.closest('.scroll-x, .visually-hidden, svg, [hidden], dialog:not([open])')) continue
      const box = element.getBoundingClientRect()
      const style = getComputedStyle(element)
      if (box.width === 0 || style.visibility === 'hidden' || style.clipPath !== 'none') continue
      if (box.right > window.innerWidth + 1 || box.left < -1) found.push(`outside: ${name(element)}`)
      if (
        style.overflowX === 'hidden' &&
        element.scrollWidth > element.clientWidth + 1 &&
        element.children.length === 0
      )
        found.push(`cut off: ${name(element)}`)
    }
    return found
  })
  expect(faults, when).toEqual([])
}

/** Everything to press is at least 44 by 44 pixels, and no text is below 14 pixels. */
export async function expectComfortable(page: Page): Promise<void> {
  const faults = await page.evaluate(() => {
    const found: string[] = []
    const dialog = document.querySelector('dialog[open]')
    const root = dialog ?? document.body
    const shown = (element: Element) =>
      element.checkVisibility() && !element.closest('.visually-hidden, .skip') && element.getClientRects().length > 0
    // A link within a sentence is as high as its line.
    for (const element of root.querySelectorAll(
      'button:not(.outside-link), select, summary, label:has(input), a.button, nav a',
    )) {
      const { width, height } = element.getBoundingClientRect()
      if (shown(element) && (width < 43.9 || height < 43.9))
        found.push(
          `${element.tagName} “${(element.getAttribute('aria-label') ?? element.textContent ?? '').trim().slice(0, 40)}” is ${Math.round(width)}×${Math.round(height)}`,
        )
    }
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement
      // Indices of formulas are small.
      if (!element || !node.textContent?.trim() || !shown(element) || element.closest('math')) continue
      const size = parseFloat(getComputedStyle(element).fontSize)
      if (size < 13.9) found.push(`“${node.textContent.trim().slice(0, 30)}” has ${size} px`)
    }
    return found
  })
  expect(faults, 'targets of 44 px, text of 14 px').toEqual([])
}

/** A picture of the whole screen, bars at their places. */
export async function shoot(page: Page, project: string, name: string): Promise<void> {
  const before = page.viewportSize()
  if (!before) throw new Error('no viewport')
  const height = await page.evaluate(() => document.documentElement.scrollHeight)
  await page.setViewportSize({ width: before.width, height: Math.min(Math.max(height, before.height), 9_000) })
  await page.screenshot({ path: `shots/${project}/${name}.png` })
  await page.setViewportSize(before)
}
