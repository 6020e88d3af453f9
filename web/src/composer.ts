/** The text field: Enter sends, Shift+Enter breaks the line, and it grows with its text. */
export function compose(form: HTMLFormElement, field: HTMLTextAreaElement, send: (text: string) => void) {
  const fit = () => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.value.trim() === "") return;
    send(field.value);
    field.value = "";
    fit();
    field.focus();
  });

  field.addEventListener("input", fit);
  field.addEventListener("keydown", (event) => {
    // While an input method composes, Enter chooses a candidate.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });

  form.hidden = false;
  field.focus();
}
