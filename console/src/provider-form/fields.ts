import { type Field, fieldsOfSchema } from '@/form/field'
import type { Language } from '@/i18n/language'

interface Wording {
  label: { en: string; zh: string }
  /** The English text is the schema's own. Of a kind of provider it may differ: `dify.api_key`. */
  help: Record<string, string>
}

/** What the fields of providers are called, and their help in Chinese. A field that isn't here has the schema's texts. */
const WORDING: Record<string, Wording> = {
  base_url: {
    label: { en: 'Base URL', zh: 'Base URL' },
    help: {
      openai: '不含 /chat/completions',
      anthropic: '不含 /v1/messages',
      qwen: 'API key 所在地域的地址，不含 /chat/completions',
      deepseek: '不含 /chat/completions',
      ollama: '包含 /v1',
      dify: '应用 API 的地址，不含 /chat-messages',
    },
  },
  api_key: {
    label: { en: 'API key', zh: 'API key' },
    help: {
      openai: '以 Bearer 令牌发送；服务器不需要时留空',
      anthropic: '以 x-api-key 发送；服务器不需要时留空',
      qwen: '以 Bearer 令牌发送',
      deepseek: '以 Bearer 令牌发送',
      ollama: '以 Bearer 令牌发送；只有 ollama.com 需要',
      dify: '应用的 API key，以 Bearer 令牌发送',
    },
  },
  api_keys: { label: { en: 'More API keys', zh: '更多 API key' }, help: { '': '与上面的 API key 轮流使用；被拒绝或额度用尽的 key 会暂时跳过' } },
  models: { label: { en: 'Models', zh: '模型' }, help: { '': '该供应商提供的模型；留空则使用供应商自己的列表', dify: '应用的名称：Dify 应用没有模型列表，接受任意名称' } },
  first_byte_timeout: { label: { en: 'Timeout for the first byte (s)', zh: '首字节超时（秒）' }, help: { '': '等待响应首字节的秒数' } },
  idle_timeout: { label: { en: 'Idle timeout (s)', zh: '空闲超时（秒）' }, help: { '': '首字节之后，没有新数据的最长秒数' } },
  organization: { label: { en: 'Organization', zh: '组织' }, help: { '': '以 OpenAI-Organization 请求头发送' } },
  project: { label: { en: 'Project', zh: '项目' }, help: { '': '以 OpenAI-Project 请求头发送' } },
  reasoning_effort: { label: { en: 'Reasoning effort', zh: '推理强度参数' }, help: { '': '格式转换后的请求是否带 reasoning_effort：auto 只用于名称已知支持它的模型' } },
  responses: { label: { en: 'Responses API', zh: 'Responses API' }, help: { '': '发往 Responses API 的请求：服务器有 /responses 时选 native，否则选 translated，转换为对话补全' } },
  max_tokens: { label: { en: 'Default token limit', zh: '默认 Token 上限' }, help: { '': 'OpenAI 格式的客户端没有设置上限时使用' } },
  thinking: { label: { en: 'Thinking', zh: '思考模式' }, help: { '': 'reasoning_effort 的转换方式：Claude 4.6 及以后的模型用 adaptive，更早的用 budget，off 表示丢弃，auto 按模型名称判断' } },
  betas: { label: { en: 'Beta features', zh: 'Beta 功能' }, help: { '': '以 anthropic-beta 请求头发送' } },
  agent: { label: { en: 'Agent application', zh: 'Agent 应用' }, help: { '': 'Agent 应用只支持流式，非流式响应由 Loam 拼接' } },
}

/** The fields that nearly everybody fills in. */
const MAIN = ['base_url', 'api_key']

interface SchemaProperty {
  examples?: string[]
}

/** The fields of a provider's configuration: those to begin with, and the rest. */
export function providerFields(kind: string, schema: object, language: Language): { main: Field[]; more: Field[] } {
  const { properties = {} } = schema as { properties?: Record<string, SchemaProperty> }
  const fields = fieldsOfSchema(schema, 'config').map((field) => {
    const key = field.name.slice('config.'.length)
    const wording = WORDING[key]
    const help = language === 'zh' ? (wording?.help[kind] ?? wording?.help[''] ?? field.help) : sentence(field.help as string | undefined)
    return { ...field, label: wording?.label[language] ?? field.label, help, placeholder: properties[key]?.examples?.[0] }
  })
  const named = (key: string) => fields.filter((field) => field.name === `config.${key}`)
  return { main: MAIN.flatMap(named), more: fields.filter((field) => !MAIN.includes(field.name.slice('config.'.length))) }
}

function sentence(text: string | undefined): string | undefined {
  // The schema writes names as Markdown does.
  return text && (text.charAt(0).toUpperCase() + text.slice(1)).replaceAll('`', '')
}
