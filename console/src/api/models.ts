/** Parts of names of models that answer no chat. */
const NO_CHAT = /embed|whisper|tts|transcribe|speech|audio|realtime|image|dall-e|sora|moderation|rerank|davinci|babbage/i

/** The model to suggest for a chat: the first whose name speaks of nothing else. Providers list all they have, in any order. */
export function modelForChat(names: string[]): string | undefined {
  return names.find((name) => !NO_CHAT.test(name.slice(name.indexOf('/') + 1))) ?? names[0]
}
