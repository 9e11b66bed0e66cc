import { Layout } from '../layout.tsx'

/** A page that says why it could not go on, and what to do. */
export function MessagePage({ title, message }: { title: string; message: string }) {
  return (
    <Layout title={title}>
      <h1>{title}</h1>
      <p class="lead" role="alert">
        {message}
      </p>
    </Layout>
  )
}
