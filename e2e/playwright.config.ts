import { defineConfig, type PlaywrightTestProject } from '@playwright/test'

const port = 4174

const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } }

function project(size: keyof typeof sizes, scheme: 'light' | 'dark'): PlaywrightTestProject {
  return {
    name: `${size}-${scheme}`,
    // What a person does is the same in the dark.
    ...(scheme === 'dark' ? { testMatch: 'screens.spec.ts' } : {}),
    use: { viewport: sizes[size], colorScheme: scheme, hasTouch: size === 'phone' },
  }
}

export default defineConfig({
  testDir: 'tests',
  outputDir: 'test-results',
  fullyParallel: true,
  workers: 2,
  timeout: 30_000,
  forbidOnly: true,
  reporter: 'list',
  projects: [
    project('phone', 'light'),
    project('desktop', 'light'),
    project('phone', 'dark'),
    project('desktop', 'dark'),
  ],
  use: {
    baseURL: `http://localhost:${port}`,
    locale: 'en-GB',
    timezoneId: 'UTC',
    launchOptions: {
      // The system's Chromium; none is ever downloaded.
      executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    },
  },
  webServer: {
    // The built UI, with the content security policy of the app.
    command: `npm run preview --workspace ui -- --port ${port} --strictPort`,
    cwd: '..',
    port,
    reuseExistingServer: false,
  },
})
