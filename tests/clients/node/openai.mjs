// The stock `openai` client: one case a run, its result as JSON on standard output.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const { BASE_URL, API_KEY, MODEL: model, PROMPT } = process.env;
const client = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0 });
const messages = [{ role: "user", content: PROMPT }];
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

const cases = {
  async chat() {
    const answer = await client.chat.completions.create({ model, messages, max_tokens: 16 });
    return { text: answer.choices[0].message.content, usage: answer.usage };
  },
  async stream() {
    const stream = await client.chat.completions.create({ model, messages, max_tokens: 16, stream: true });
    let text = "";
    let chunks = 0;
    let usageSeen = false;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      chunks += 1;
      usageSeen ||= Boolean(chunk.usage);
    }
    return { text, chunks, usageSeen };
  },
  async structured() {
    // Bounded, or a small model may write on until it is cut off.
    const person = z.object({ name: z.string().max(20), age: z.number().int().min(0).max(150) });
    const answer = await client.chat.completions.parse({
      model, messages, max_tokens: 128, response_format: zodResponseFormat(person, "person"),
    });
    return { parsed: answer.choices[0].message.parsed };
  },
  async tools() {
    const answer = await client.chat.completions.create({ model, messages, tools: [weather] });
    return { tool: answer.choices[0].message.tool_calls[0].function.name };
  },
  async embeddings() {
    const answer = await client.embeddings.create({ model, input: PROMPT });
    return { dimensions: answer.data[0].embedding.length };
  },
  async models() {
    const ids = [];
    for await (const each of client.models.list()) ids.push(each.id);
    return { ids };
  },
};

console.log(JSON.stringify(await cases[process.argv[2]]()));
