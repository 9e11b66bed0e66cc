/** Strokes on a 24 × 24 grid. They only repeat what the text beside them says. */
const STROKES = {
  mark: 'M4 6.5h16M8 12h12M12 17.5h8',
  verified: 'M12 3l7.5 3v5.5c0 4.6-3.1 7.8-7.5 9.5-4.4-1.7-7.5-4.9-7.5-9.5V6zM8.7 12.1l2.4 2.4 4.4-4.8',
  warning: 'M12 4.2 21 19.8H3zM12 10v4.4M12 17.1v.1',
} as const

export function Icon({ name }: { name: keyof typeof STROKES }) {
  return (
    <svg
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={name === 'mark' ? 2.6 : 2}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={STROKES[name]} />
    </svg>
  )
}
