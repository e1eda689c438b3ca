"""The short explanations behind each panel's (i)."""

from __future__ import annotations

from dashboard.widgets.panel import About

ABOUT: dict[str, About] = {
    "understood": About(
        what="Everything that was found out about the model and the data without being told, and how to say otherwise.",
        how="The file named by --subject is run once, in a process of its own. A few instances are read and passed "
        "through the model in evaluation mode; nothing is written to the model or the data.",
        formula="Subject(model, dataset, kind=..., class_names=..., collate_fn=..., forward_func=..., output=...)",
        source="Each line names the argument of Subject that overrides it.",
    ),
    "limits": About(
        what="What some view will not be able to show for this subject, why, and what would change that.",
        how="Checked before anything is computed, so that a view never fails half-way for a reason known beforehand.",
        formula="none: a list of conditions",
        source="The conditions are those of the views themselves.",
    ),
    "examples": About(
        what="A handful of instances as the model is given them, with their labels and the model's predictions. "
        "A tick marks a correct prediction, a cross a wrong one.",
        how="Pictures are shown at the model's input size, with the normalisation undone where it is known.",
        formula="prediction = argmax_c softmax(logits)_c; confidence = its value",
        source="The first instances of the classes, in the order of the data.",
    ),
    "modules": About(
        what="Every layer that a pass through the model calls, in the order of the calls. A layer that cannot be shown "
        "says why. Click a row to open it in the Layers view.",
        how="One pass over a small batch with hooks on every module. A module called several times has a row per call, "
        "told apart by #1, #2. Parameters of tied weights are counted once.",
        formula="shape: positions a filter is applied at; filters: channels or units",
        source="torch.nn.Module.named_modules and forward hooks.",
    ),
    "classes": About(
        what="How many instances of each class the data holds.",
        how="Labels are taken from the data set's own list where it has one, else by reading every instance once.",
        formula="count of y = c",
        source="The data set itself.",
    ),
    "weights": About(
        what="The weights offered, each with the SHA-256 of its file, and where the model runs.",
        how="Weights are read from safetensors, or with weights_only=True: opening them never runs code. Names and "
        "shapes are compared with the model's before anything is loaded.",
        formula="SHA-256 of the file; of the tensors for weights that have no file",
        source="FIPS 180-4.",
    ),
}
