// What a person does in the chat, on the fake backend.
import type { Page } from '@playwright/test'
import { expect, open, test } from './page'

const id = (n: number) => `#/chat/01930000-0000-7000-c000-${String(n).padStart(12, '0')}`
const messages = (page: Page) => page.getByTestId('message')

async function say(page: Page, text: string) {
  await page.getByTestId('composer').fill(text)
  await page.getByTestId('composer').press('Enter')
}

test('a new chat streams its answer and says how fast it was', async ({ page }) => {
  await open(page, '#/chat', 'speed=20')
  await page.getByTestId('new-chat').click()
  await page.getByTestId('composer').fill('Line one')
  await page.getByTestId('composer').press('Shift+Enter')
  await page.getByTestId('composer').pressSequentially('Show me code with threads.')
  await page.getByTestId('composer').press('Enter')
  await expect(messages(page).first().getByTestId('words')).toHaveText('Line one\nShow me code with threads.')
  const answer = messages(page).nth(1)
  await expect(answer).toHaveAttribute('data-state', 'complete')
  await expect(answer.getByTestId('code')).toContainText('Arc::new(Mutex::new(0u64))')
  await expect(answer.getByTestId('figures')).toContainText('tok/s')
  await expect(answer.getByTestId('figures')).toContainText('first token after')
  await expect(page).toHaveURL(/#\/chat\/01930000-/)
  await expect(page.getByTestId('context-meter')).toContainText('Context')
  await expect(page.getByTestId('composer')).toHaveValue('')
  await answer.getByTestId('route').click()
  await expect(page.getByTestId('route-why')).toContainText('Prompts stay on this device')
})

test('stop is answered at once and what was written stays', async ({ page }) => {
  await open(page, id(7))
  await say(page, 'Show me code.')
  const answer = messages(page).last()
  await expect(answer.getByTestId('words')).toContainText('A lock makes sure')
  await page.getByTestId('stop-answer').click()
  await expect(answer).toHaveAttribute('data-state', 'stopped')
  await expect(answer.getByTestId('ended')).toContainText('What it had stays')
  await expect(answer.getByTestId('words')).toContainText('A lock makes sure')
  await expect(page.getByTestId('send')).toBeVisible()
})

test('a draft waits while other screens are looked at', async ({ page }) => {
  await open(page, id(7))
  await page.getByTestId('composer').fill('Half a thou')
  await page.getByTestId('nav-models').click()
  await page.goBack()
  await expect(page.getByTestId('composer')).toHaveValue('Half a thou')
})

test('editing makes a branch, and so does another model', async ({ page }) => {
  await open(page, id(7), 'speed=50')
  await messages(page).first().getByTestId('edit').click()
  await page.getByTestId('edit-text').fill('What is a table of bread?')
  await page.getByTestId('resend').click()
  await expect(messages(page)).toHaveCount(2)
  await expect(messages(page).first().getByTestId('branch')).toHaveText('2/2')
  await expect(messages(page).last()).toHaveAttribute('data-state', 'complete')
  await expect(page.getByRole('group', { name: 'Table' })).toBeVisible()
  await messages(page).first().getByTestId('branch-before').click()
  await expect(messages(page).first().getByTestId('words')).toHaveText('Why is the sky blue?')
  await expect(messages(page).last().getByTestId('words')).toContainText('Sunlight holds all colours')

  await messages(page).last().getByTestId('regenerate-with').click()
  const other = messages(page).last().getByTestId('other-model')
  const path = await other.locator('option').nth(2).getAttribute('value')
  await other.selectOption(path)
  await expect(messages(page).last().getByTestId('branch')).toHaveText('2/2')
  await expect(messages(page).last()).toHaveAttribute('data-state', 'complete')
  await expect(page.getByTestId('chat-model')).toHaveValue(path ?? '')
})

test('chats are found, renamed, pinned, exported, imported, deleted and brought back', async ({ page }) => {
  await open(page, '#/chat')
  const chats = page.getByTestId('conversation')
  await expect(chats).toHaveCount(7)
  await expect(chats.first()).toContainText('Bread, locks and roots')
  await page.getByTestId('search').fill('quadratic equation')
  await expect(chats).toHaveCount(2)
  await expect(chats.first()).toContainText('quadratic')
  await page.getByTestId('search').fill('no such words anywhere')
  await expect(page.getByTestId('nothing-found')).toBeVisible()
  await page.getByTestId('search').fill('')
  await expect(chats).toHaveCount(7)

  const sky = chats.filter({ hasText: 'Why is the sky blue?' })
  await sky.getByTestId('more').click()
  await sky.getByTestId('rename').click()
  await page.getByTestId('rename-text').fill('Colours of the sky')
  await page.getByTestId('rename-text').press('Enter')
  const renamed = chats.filter({ hasText: 'Colours of the sky' })
  await renamed.getByTestId('more').click()
  await renamed.getByTestId('pin').click()
  await expect(chats.first()).toContainText('Colours of the sky')
  await renamed.getByTestId('more').click()
  await renamed.getByTestId('export-markdown').click()
  await expect(page.getByText('pocketbench-chat.md')).toBeVisible()

  await renamed.getByTestId('more').click()
  await renamed.getByTestId('delete').click()
  await expect(chats).toHaveCount(6)
  await page.getByTestId('undo').click()
  await expect(chats).toHaveCount(7)
  await page.getByTestId('import').click()
  await expect(page.locator('h1').filter({ hasText: '(imported)' })).toBeVisible()
})

test('a hard prompt leaves the device only with consent', async ({ page }) => {
  await open(page, '#/settings/chat', 'speed=50')
  await page.getByTestId('mode-always_ask').check()
  await page.getByTestId('budget').fill('5')
  await page.getByTestId('save-options').click()
  await expect(page.getByTestId('options-status')).toHaveText('Saved')
  // A click keeps the page, and with it the fake's memory.
  await page.getByRole('link', { name: 'All chats' }).click()
  await page.getByTestId('new-chat').click()
  await say(page, 'Prove that this compiler pass is sound.')
  const card = page.getByTestId('consent')
  await expect(card).toContainText('api.openai.com')
  await expect(card).toContainText('$0.0017')
  await expect(card).toContainText('reaches the threshold')
  await expect(messages(page)).toHaveCount(1)
  await page.getByTestId('consent-yes').click()
  await expect(messages(page).last()).toHaveAttribute('data-state', 'complete')
  await expect(messages(page).last().getByTestId('route')).toContainText('Cloud · OpenAI')
  await messages(page).last().getByTestId('route').click()
  await expect(page.getByTestId('route-why')).toContainText('You allowed it')
  await page.keyboard.press('Escape')

  await say(page, 'And prove it for two threads.')
  await expect(card).toBeVisible()
  await page.getByTestId('consent-no').click()
  await expect(messages(page)).toHaveCount(4)
  await expect(messages(page).last().getByTestId('route')).toContainText('On device')
})

test('an answer that means no good stays text', async ({ page }) => {
  await open(page, id(2))
  const answer = messages(page).last().getByTestId('words')
  await expect(answer).toContainText('<script>window.pwned = true</script>')
  await expect(
    answer.locator('img, script, iframe, style, a, form, input, [onerror], [style*=url], [href]'),
  ).toHaveCount(0)
  // Only links of the web are links, and they open nothing.
  await expect(answer.getByTestId('link')).toHaveText([
    'Picture, not loaded: a picture from elsewhere',
    'me',
    'https://evil.example/auto',
  ])
  await answer.getByTestId('link').nth(1).click()
  await expect(page.getByText('Leads to evil.example')).toBeVisible()
  await expect(answer).toContainText('[U+202E]')
  await expect(answer).toContainText('␛[31m')
  await page.keyboard.press('Escape')
  // The same as it is streamed.
  await say(page, 'Give me hostile output.')
  await page.getByTestId('stop-answer').click()
  expect(await page.evaluate(() => 'pwned' in window)).toBe(false)
  expect(page.context().pages()).toHaveLength(1)
})

test('10 MB in one line are drawn in part, and the rest on demand', async ({ page }) => {
  await open(page, '#/chat/new')
  await say(page, 'Write 10 MB in one line.')
  const answer = messages(page).last()
  await expect(answer).toHaveAttribute('data-state', 'complete')
  const drawn = () => answer.getByTestId('words').evaluate((element) => (element.textContent ?? '').length)
  expect(await drawn()).toBeLessThan(250_000)
  await answer.getByTestId('show-more').click()
  await expect.poll(drawn).toBeGreaterThan(390_000)
  await say(page, 'Why is the sky blue?')
  await expect(messages(page).last().getByTestId('words')).toContainText('Sunlight')
})

test('formulas are typeset, reasoning is folded, a link says where it leads', async ({ page }) => {
  await open(page, id(6))
  await expect(page.locator('math').first()).toBeVisible()
  await messages(page).last().getByTestId('branch-after').click()
  await expect(page.locator('math')).toHaveCount(0)
  await page.getByTestId('link').click()
  await expect(page.getByText('Leads to bread.example')).toBeVisible()

  await open(page, id(5))
  const reasoning = page.getByTestId('reasoning')
  await expect(reasoning).not.toContainText('six stay alive')
  await reasoning.locator('summary').click()
  await expect(reasoning).toContainText('six stay alive')
})

test('what was left out and what failed is said', async ({ page }) => {
  await open(page, id(1))
  await expect(page.getByTestId('dropped').last()).toContainText('14 earlier turns')
  await page.getByTestId('show-earlier').click()
  await page.getByTestId('show-earlier').click()
  await expect(messages(page)).toHaveCount(90)
  await expect(page.getByTestId('left-out').first()).toBeVisible()
  await open(page, id(3))
  await expect(page.getByTestId('ended')).toHaveCount(2)
  await expect(messages(page).last().getByTestId('error-note')).toContainText('1.9 GB')
})

test('while something is measured, chat says so', async ({ page }) => {
  await open(page, id(7), 'scenario=running&hold=4')
  await expect(page.getByTestId('device-busy')).toContainText('would disturb it')
  await say(page, 'Hello')
  await expect(page.getByTestId('error-note')).toContainText('measurement is running')
  await expect(page.getByTestId('composer')).toHaveValue('Hello')
})

test('two models, one prompt, a vote, and the names', async ({ page }) => {
  await open(page, '#/chat/duel', 'speed=50')
  await expect(page.getByTestId('ranking')).toContainText('1,112')
  await say(page, 'Compare bread in a table.')
  await expect(page.getByTestId('duel-answer')).toHaveCount(2)
  await expect(page.getByTestId('duel-name')).toHaveCount(0)
  await expect(page.getByTestId('vote-left')).toBeEnabled()
  await page.getByTestId('vote-left').click()
  await expect(page.getByTestId('duel-name')).toHaveCount(2)
  await expect(page.getByTestId('duel-outcome')).toContainText('better than')
  await expect(page.getByText('29 votes, 22 of them')).toBeVisible()
})

test('chat settings are kept', async ({ page }) => {
  await open(page, '#/settings/chat')
  await expect(page.getByTestId('spending')).toContainText('$0.0011')
  await page.getByTestId('mode-auto').check()
  await page.getByTestId('threshold').fill('0.9')
  await expect(page.getByText('Hardly anything goes to the cloud.')).toBeVisible()
  await page.locator('summary', { hasText: 'Rules for kinds of task' }).click()
  await page.getByTestId('rule-code').selectOption('cloud')
  await page.getByTestId('budget').fill('2.5')
  await page.getByTestId('hard-stop').uncheck()
  await page.getByTestId('save-options').click()
  await expect(page.getByTestId('options-status')).toHaveText('Saved')
  await page.getByRole('link', { name: 'All chats' }).click()
  await page.getByTestId('chat-settings-link').click()
  await expect(page.getByTestId('mode-auto')).toBeChecked()
  await expect(page.getByTestId('budget')).toHaveValue('2.5')
  await expect(page.getByTestId('hard-stop')).not.toBeChecked()
})

test('2,000 tokens stream without being parsed again', async ({ page }, { project }) => {
  await open(page, '#/chat/new', 'speed=40')
  await page.evaluate(() => {
    const seen = { longest: 0, gap: 0, lost: 0, kept: 0 }
    Object.assign(window, { seen })
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen.longest = Math.max(seen.longest, entry.duration)
    }).observe({ type: 'longtask' })
    let before = performance.now()
    const frame = (now: number) => {
      seen.gap = Math.max(seen.gap, now - before)
      before = now
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
  await say(page, 'Say 2,000 tokens.')
  const words = messages(page).last().getByTestId('words')
  await expect(words).toContainText('Part 3')
  // Every element of a piece that is whole must still be there at the end, with the same text.
  await words.evaluate((element) => {
    const whole = [...element.querySelectorAll('.piece')]
      .slice(0, -1)
      .flatMap((piece) => [piece, ...piece.querySelectorAll('*')])
    Object.assign(window, { whole: whole.map((one) => [one, one.textContent]) })
  })
  await expect(messages(page).last()).toHaveAttribute('data-state', 'complete', { timeout: 25_000 })
  const result = await page.evaluate(() => {
    const { whole, seen } = window as unknown as {
      whole: [Element, string][]
      seen: { longest: number; gap: number }
    }
    // A formula is typeset once its typesetter is loaded; it has no other elements before.
    const settled = whole.filter(([one]) => !one.closest('.formula') && !one.querySelector('.formula'))
    return {
      ...seen,
      kept: settled.filter(([one, text]) => one.isConnected && one.textContent === text).length,
      all: settled.length,
    }
  })
  expect(result.all).toBeGreaterThan(20)
  expect(result.kept).toBe(result.all)
  process.stdout.write(
    `${project.name}: 2,000 tokens: longest task ${Math.round(result.longest)} ms, longest gap between frames ${Math.round(result.gap)} ms\n`,
  )
})
