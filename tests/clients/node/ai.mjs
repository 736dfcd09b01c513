// The stock `ai` SDK with its OpenAI-compatible provider: one case a run, its result as JSON on standard output.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const { BASE_URL, API_KEY, MODEL, PROMPT: prompt } = process.env;
const loam = createOpenAICompatible({
  name: "loam", baseURL: BASE_URL, apiKey: API_KEY, includeUsage: true, supportsStructuredOutputs: true,
});
const common = { model: loam(MODEL), prompt, maxRetries: 0 };

const cases = {
  async chat() {
    const answer = await generateText({ ...common, maxOutputTokens: 16 });
    return { text: answer.text, totalTokens: answer.usage.totalTokens };
  },
  async stream() {
    const answer = streamText({ ...common, maxOutputTokens: 16, onError: ({ error }) => { throw error; } });
    let text = "";
    let chunks = 0;
    for await (const piece of answer.textStream) {
      text += piece;
      chunks += 1;
    }
    return { text, chunks, totalTokens: (await answer.usage).totalTokens };
  },
  async structured() {
    // Bounded, or a small model may write on until it is cut off.
    const schema = z.object({ name: z.string().max(20), age: z.number().int().min(0).max(150) });
    const answer = await generateText({ ...common, maxOutputTokens: 128, output: Output.object({ schema }) });
    return { object: answer.output };
  },
  async tools() {
    const ran = [];
    const get_weather = tool({
      description: "The weather in a city.",
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => {
        ran.push("get_weather");
        return `21 degrees in ${city}`;
      },
    });
    const answer = await generateText({ ...common, tools: { get_weather }, stopWhen: stepCountIs(3) });
    return { ran, text: answer.text };
  },
};

console.log(JSON.stringify(await cases[process.argv[2]]()));
