"""The words branch: corpora that were left out, texts as a recogniser writes them, context, licences, encoders."""
