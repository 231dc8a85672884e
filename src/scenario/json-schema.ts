/** A JSON Schema: any keywords, and those that are looked at again after they were made. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
}

/** What fits `condition` has to fit `consequence`; anything else, `otherwise`. */
export const when = (
  condition: JsonSchema,
  consequence: JsonSchema | undefined,
  otherwise?: JsonSchema,
): JsonSchema => ({
  if: condition,
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  ...(consequence && { then: consequence }),
  ...(otherwise && { else: otherwise }),
});
