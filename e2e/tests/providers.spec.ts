// What a person does with providers: set one up, give it a key, verify, change, remove. On the fake backend.
import { expect, open, test } from './page'

const providers = '#/settings/providers'

test('a provider is set up, given its key and verified', async ({ page }) => {
  await open(page, '#/models')
  await page.getByTestId('providers-link').click()
  await expect(page.getByTestId('provider')).toHaveCount(2)
  await page.getByTestId('preset').selectOption('holysheep')
  await expect(page.getByTestId('base-url')).toHaveValue('https://api.holysheep.ai/v1')
  await page.getByTestId('save-provider').click()

  const card = page.locator('[data-provider=holysheep]')
  await expect(card.getByTestId('provider-state')).toContainText('Not verified yet')
  await card.getByTestId('verify').click()
  await expect(card.getByTestId('error-note')).toContainText('does not accept the key')

  const field = card.getByTestId('provider-key')
  await field.fill('sk-of-someone-else')
  await card.getByRole('button', { name: 'Keep it safe' }).click()
  await expect(card.getByTestId('error-note')).toContainText('begins with “hs_”')
  await field.fill('hs_0123456789')
  await card.getByRole('button', { name: 'Keep it safe' }).click()
  await expect(card.getByTestId('key-state')).toContainText('key store')
  // What was typed does not stay on the page.
  await expect(field).toHaveValue('')
  await card.getByTestId('verify').click()
  await expect(card.getByTestId('provider-state')).toContainText('The key is accepted')
  await card.locator('summary').click()
  await expect(card).toContainText('specimen/specimen-70b-instruct')
})

test('a key does not go along to another host, and a provider can be removed', async ({ page }) => {
  await open(page, providers)
  const card = page.locator('[data-provider=openai]')
  await card.getByTestId('change').click()
  await expect(card).toContainText('At another host the key is forgotten')
  await card.getByTestId('base-url').fill('not an address')
  await card.getByTestId('save-provider').click()
  await expect(card.getByTestId('error-note')).toContainText('no URL')
  await card.getByTestId('base-url').fill('https://elsewhere.example/v1')
  await card.getByTestId('save-provider').click()
  await expect(card.getByTestId('key-state')).toContainText('None is kept')
  await expect(card.getByTestId('provider-state')).toContainText('Not verified yet')
  await card.getByTestId('remove').click()
  await card.getByTestId('remove-yes').click()
  await expect(card).toHaveCount(0)
})

test('without a network it says so', async ({ page }) => {
  await open(page, providers, 'scenario=offline')
  const card = page.locator('[data-provider=llama-server]')
  await card.getByTestId('verify').click()
  await expect(card.getByTestId('error-note')).toContainText('The provider cannot be reached')
})
