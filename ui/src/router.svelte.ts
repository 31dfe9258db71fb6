import { parseRoute, type Route } from './routes'

export * from './routes'

class Router {
  route = $state.raw<Route>(parseRoute(window.location.hash))

  constructor() {
    window.addEventListener('hashchange', () => {
      this.route = parseRoute(window.location.hash)
    })
  }

  go(href: string): void {
    window.location.hash = href
  }

  /** Goes on without leaving the present address in the history. */
  replace(href: string): void {
    window.history.replaceState(null, '', href)
    this.route = parseRoute(href)
  }
}

export const router = new Router()
