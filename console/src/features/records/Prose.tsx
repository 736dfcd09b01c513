/** A text of the server, which is English, whose parts between backticks are code. */
export function Prose({ text }: { text: string }) {
  return (
    <span lang="en">
      {text.split('`').map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}
    </span>
  )
}
