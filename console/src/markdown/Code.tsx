import { memo, useEffect, useState } from 'react'
import { classes } from '@/ui/classes'
import { CopyCode } from './CopyCode'
import type { Piece } from './highlight'
import styles from './Markdown.module.css'

interface CodeProps {
  code: string
  language?: string
  /** More lines will follow: it is coloured once it is whole. */
  isOpen?: boolean
}

/** Longer code stays without colours. */
const MAX_COLOURED = 50_000

/** A block of code with its language, a button that copies it, and colours that are computed when it is shown. */
export const Code = memo(function Code({ code, language, isOpen = false }: CodeProps) {
  const pieces = useColours(code, language, isOpen)
  return (
    <div className={styles.code}>
      <div className={styles.codeHead}>
        <span>{language}</span>
        <CopyCode code={code} />
      </div>
      <pre tabIndex={0}>
        <code>
          {pieces
            ? pieces.map((piece, index) =>
                piece.kind ? (
                  <span key={index} className={classes(styles[piece.kind])}>
                    {piece.text}
                  </span>
                ) : (
                  piece.text
                ),
              )
            : code}
        </code>
      </pre>
    </div>
  )
})

function useColours(code: string, language: string | undefined, isOpen: boolean): Piece[] | null {
  const [coloured, setColoured] = useState<{ code: string; pieces: Piece[] | null } | null>(null)
  useEffect(() => {
    if (isOpen || !language || code.length > MAX_COLOURED) return
    let isCurrent = true
    void import('./highlight').then(({ highlight }) => isCurrent && setColoured({ code, pieces: highlight(code, language) }))
    return () => {
      isCurrent = false
    }
  }, [code, language, isOpen])
  return coloured?.code === code ? coloured.pieces : null
}
