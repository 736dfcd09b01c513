import { Paperclip } from 'lucide-react'
import type { Schema } from '@/api/types'
import { Markdown } from '@/markdown/Markdown'
import styles from './chat.module.css'
import { useMessages } from './messages'

/** The content of a message: texts, images, audio and files. */
export function Content({ content }: { content: Schema<'MessageContent'> }) {
  const t = useMessages()
  if (typeof content === 'string') return <Markdown text={content} />
  return content.map((part, index) => {
    switch (part.type) {
      case 'text':
        return <Markdown key={index} text={part.text} />
      case 'image_url':
        // Images of other hosts are links: loading them would tell their hosts who reads.
        return part.image_url.url.startsWith('data:image/') ? (
          <img key={index} className={styles.image} src={part.image_url.url} alt={t.imageOfMessage} />
        ) : (
          <Markdown key={index} text={`![${t.imageOfMessage}](${part.image_url.url})`} />
        )
      default:
        return (
          <p key={index} className={styles.file}>
            <Paperclip size={14} aria-hidden /> {t.attachment(part.type === 'file' ? (part.file.filename ?? part.file.file_id ?? '') : t.audio)}
          </p>
        )
    }
  })
}
