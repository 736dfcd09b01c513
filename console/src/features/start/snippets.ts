export type Language = 'curl' | 'python' | 'typescript'

/** How a stock client calls a model: what to install, and a program that can be pasted. */
export function snippetOf(language: Language, origin: string, key: string, model: string): string {
  switch (language) {
    case 'curl':
      return [
        `curl ${origin}/v1/chat/completions \\`,
        `  -H 'Authorization: Bearer ${key}' \\`,
        `  -H 'Content-Type: application/json' \\`,
        `  -d '${JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] })}'`,
      ].join('\n')
    case 'python':
      return [
        '# pip install openai',
        'from openai import OpenAI',
        '',
        `client = OpenAI(base_url="${origin}/v1", api_key="${key}")`,
        'completion = client.chat.completions.create(',
        `    model=${JSON.stringify(model)},`,
        '    messages=[{"role": "user", "content": "Hello"}],',
        ')',
        'print(completion.choices[0].message.content)',
      ].join('\n')
    case 'typescript':
      return [
        '// npm install openai',
        "import OpenAI from 'openai'",
        '',
        `const client = new OpenAI({ baseURL: '${origin}/v1', apiKey: '${key}' })`,
        'const completion = await client.chat.completions.create({',
        `  model: ${JSON.stringify(model)},`,
        "  messages: [{ role: 'user', content: 'Hello' }],",
        '})',
        'console.log(completion.choices[0].message.content)',
      ].join('\n')
  }
}
