import { headersOf, send } from '@/api/request'

/** Saves what a URL of the API returns as a file, with the tenant and the log-in of the page. */
export async function download(url: string, name: string): Promise<void> {
  const response = await send(url, { headers: headersOf('get') })
  saveBlob(await response.blob(), name)
}

/** Saves bytes as a file in the browser's downloads. */
export function saveBlob(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
