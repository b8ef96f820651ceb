// The plugin `receipts`: one activity, which renders a receipt.

import * as context from "tenterhook:plugin/activity-context@0.1.0";
import type { Task } from "tenterhook:plugin/activities@0.1.0";
import type { Plugin } from "tenterhook:plugin/metadata@0.1.0";
import type { Payload } from "tenterhook:plugin/values@0.1.0";
import * as config from "wasi:config/store@0.2.0-rc.1";
import * as logging from "wasi:logging/logging@0.1.0-draft";

import { answering, decode, encode, failure } from "./tenterhook.js";

interface Line {
  name: string;
  quantity: number;
  /** In minor units of the order's currency. */
  unit_amount: number;
}

interface Order {
  order: string;
  currency: string;
  lines: Line[];
}

const AMOUNT = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

const INPUT_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  required: ["order", "currency", "lines"],
  properties: {
    order: { type: "string" },
    currency: { type: "string", pattern: "^[A-Z]{3}$" },
    lines: {
      type: "array",
      items: {
        type: "object",
        required: ["name", "quantity", "unit_amount"],
        properties: { name: { type: "string" }, quantity: AMOUNT, unit_amount: AMOUNT },
      },
    },
  },
};

const RESULT_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  required: ["text", "total"],
  properties: { text: { type: "string" }, total: AMOUNT },
};

export const metadata = {
  describe(): Plugin {
    return {
      name: "receipts",
      version: "0.1.0",
      description: "Renders receipts",
      workflows: [],
      activities: [
        {
          name: "RenderReceipt",
          description: "Writes the receipt of an order, and its total",
          inputSchema: JSON.stringify(INPUT_SCHEMA),
          resultSchema: JSON.stringify(RESULT_SCHEMA),
        },
      ],
      wants: { http: [], keyvalue: false, config: ["footer"] },
    };
  },
};

export const activities = {
  execute(task: Task): Payload | undefined {
    return answering(() => {
      switch (task.activityType) {
        case "RenderReceipt":
          return encode(render(order(decode(task.input)), task.info.attempt));
        default:
          throw failure("NotFound", `receipts has no activity ${task.activityType}`);
      }
    });
  },
};

/** Whoever calls may send anything: what is used is looked at. */
function order(value: unknown): Order {
  const order = value as Order;
  if (typeof order?.order !== "string" || typeof order.currency !== "string" || !Array.isArray(order.lines)) {
    throw failure("ValidationError", "an order has order, currency and lines");
  }
  if (order.lines.length === 0) {
    throw failure("ValidationError", `order ${order.order} has no lines: there is nothing to write a receipt for`);
  }
  for (const { name, quantity, unit_amount } of order.lines) {
    for (const number of [quantity, unit_amount, quantity * unit_amount]) {
      if (!Number.isSafeInteger(number) || number < 0) {
        throw failure("ValidationError", `line ${JSON.stringify(name)}: quantity and unit_amount are whole numbers`);
      }
    }
  }
  return order;
}

function render(order: Order, attempt: number): { text: string; total: number } {
  let total = 0;
  const rows = [`Receipt for ${order.order}`];
  order.lines.forEach((line, index) => {
    const amount = line.quantity * line.unit_amount;
    total += amount;
    rows.push(`${line.quantity} x ${line.name}: ${money(amount, order.currency)}`);
    // A long order stays alive, and its next attempt could go on here.
    context.heartbeat([encode(index + 1)]);
  });
  if (!Number.isSafeInteger(total)) {
    throw failure("ValidationError", `the total of order ${order.order} is too large`);
  }
  rows.push(`Total: ${money(total, order.currency)}`);
  const footer = config.get("footer");
  if (footer !== undefined) rows.push(footer);
  logging.log("info", "receipts", `order ${order.order}: ${order.lines.length} lines, attempt ${attempt}`);
  return { text: rows.join("\n"), total };
}

/** Minor units with two decimals, by whole numbers alone. */
function money(amount: number, currency: string): string {
  const minor = String(amount % 100).padStart(2, "0");
  return `${currency} ${Math.floor(amount / 100)}.${minor}`;
}
