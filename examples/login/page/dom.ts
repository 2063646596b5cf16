import { inWords, isSessionOver } from "./words.ts";

/** The steps of the page, each a section of index.html. */
export type Step = "login-name" | "first-factor" | "second-factor" | "session" | "over";

export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  return document.getElementById(id) as E;
}

/** An element with its properties and its content; texts are texts, never markup. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Partial<HTMLElementTagNameMap[Tag]> = {},
  ...content: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...content);
  return made;
}

/** Shows one step and hides the others. The focus goes to its first field, else to its headline, which is then read out. */
export function showStep(step: Step): void {
  for (const section of document.querySelectorAll<HTMLElement>("main > section")) {
    section.hidden = section.id !== step;
    forgetErrors(section);
  }
  const section = byId(step);
  const headline = section.querySelector("h1")!;
  document.title = headline.textContent;
  const field = section.querySelector<HTMLElement>("form input:not([readonly])");
  (field ?? headline).focus();
}

/**
 * Does what a person asked for, once at a time in a step.
 * @param place where it was asked for; what goes wrong is said there, in words, by the element of role "alert" in it
 */
export async function attempt(place: HTMLElement, action: () => Promise<void>): Promise<void> {
  const section = place.closest<HTMLElement>("main > section")!;
  if (section.ariaBusy === "true") return;
  section.ariaBusy = "true";
  forgetErrors(section);
  try {
    await action();
  } catch (reason) {
    if (isSessionOver(reason)) showStep("over");
    else place.querySelector("[role=alert]")!.textContent = inWords(reason);
  } finally {
    section.ariaBusy = null;
  }
}

/** Takes back what was said about an earlier try. */
export function forgetErrors(section: HTMLElement): void {
  for (const alert of section.querySelectorAll("[role=alert]")) alert.textContent = "";
}

/** Answers a form, which no browser sends by itself: the page's content security policy forbids it. */
export function onSubmit(place: HTMLElement, action: () => Promise<void>): void {
  place.querySelector("form")!.addEventListener("submit", (event) => {
    event.preventDefault();
    void attempt(place, action);
  });
}

export function onClick(button: HTMLElement, place: HTMLElement, action: () => Promise<void>): void {
  button.addEventListener("click", () => void attempt(place, action));
}
