import type { Context } from 'hono'
import type { BrowserSession } from './browser-session.ts'
import type { AuthContext } from './context.ts'
import type { Parameters } from './form.ts'
import { pathWithNext } from './next-path.ts'
import { readPersonForm, requireCsrfToken } from './people.tsx'

/**
 * What only a signed-in person gets to; anybody else is sent to sign in. A form has to be one of that very session.
 *
 * @param path where to go on after signing in
 */
export function signedIn(context: AuthContext, path: string) {
  const signIn = (c: Context) => c.redirect(pathWithNext('/login', path), 303)
  return {
    onPage: (work: (c: Context, session: BrowserSession) => Promise<Response>) => async (c: Context) => {
      const session = await context.sessions.find(c.req.raw)
      return session === null ? signIn(c) : work(c, session)
    },
    onForm:
      (work: (c: Context, session: BrowserSession, form: Parameters) => Promise<Response>) => async (c: Context) => {
        const form = await readPersonForm(context, c)
        const session = await context.sessions.find(c.req.raw)
        if (session === null) return signIn(c)
        requireCsrfToken(form, session.csrfToken)
        return work(c, session, form)
      },
  }
}
