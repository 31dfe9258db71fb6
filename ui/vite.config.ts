import { paraglideVitePlugin } from '@inlang/paraglide-js'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

// The policy of tauri.conf.json, so that `vite preview` and the end-to-end tests meet the same limits as the app does.
const csp = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self' ipc: http://ipc.localhost",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

export default defineConfig({
  // Tauri serves the files from a custom scheme: every address must be relative.
  base: './',
  plugins: [
    // `npm run test` compiles the messages beforehand: the plugin keeps Vitest from exiting.
    !process.env['VITEST'] &&
      paraglideVitePlugin({
        project: './project.inlang',
        outdir: './src/paraglide',
        strategy: ['globalVariable', 'baseLocale'],
      }),
    svelte(),
  ],
  build: {
    target: ['safari16', 'chrome109'],
    // One small file would otherwise become a data: address, which `font-src 'self'` refuses.
    assetsInlineLimit: 0,
  },
  server: { port: 5173, strictPort: true },
  preview: { headers: { 'Content-Security-Policy': csp } },
  test: {
    include: ['src/**/*.test.ts'],
    environment: 'node',
  },
})
